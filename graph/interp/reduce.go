package interp

import (
	"fmt"
	"math"

	"mnet-edge/graph"
)

// reduce returns what computes a Reduce node.
func (c *compiler) reduce(n *graph.Node, op graph.Reduce) (func(), error) {
	to, _ := reduction(n.In[0].Type.Shape, op.Axes)
	run := neighbours(n.In[0].Type.Shape, op.Axes)
	switch x := c.data[n.In[0]].(type) {
	case []float32:
		f, none := extreme(op.Fn, float32(math.Inf(-1)), float32(math.Inf(1)))
		if op.Fn == graph.Sum {
			f, none = func(sum, v float32) float32 { return sum + v }, 0
		}
		out := c.data[n.Out].([]float32)
		return func() { reduce(x, to, run, none, f, out) }, nil
	case []int8:
		f, none := extreme[int8](op.Fn, math.MinInt8, math.MaxInt8)
		out := c.data[n.Out].([]int8)
		return func() { reduce(x, to, run, none, f, out) }, nil
	case []int16:
		f, none := extreme[int16](op.Fn, math.MinInt16, math.MaxInt16)
		out := c.data[n.Out].([]int16)
		return func() { reduce(x, to, run, none, f, out) }, nil
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

// extreme is the larger or the smaller of two, and what it is of none.
func extreme[T float32 | int8 | int16](fn graph.ReduceFunc, least, most T) (f func(a, b T) T, none T) {
	if fn == graph.Smallest {
		return func(a, b T) T { return min(a, b) }, most
	}
	return func(a, b T) T { return max(a, b) }, least
}

// reduce: out[j] = f(...f(f(none, x[i]), x[i'])...) of the x[i] with to[i] = j, in order. Each run of so many x goes to as
// many neighbours.
func reduce[T any](x []T, to []int, run int, none T, f func(a, b T) T, out []T) {
	for j := range out {
		out[j] = none
	}
	for i := 0; i < len(x); i += run {
		results := out[to[i]:][:run]
		for k, v := range x[i:][:run] {
			results[k] = f(results[k], v)
		}
	}
}
