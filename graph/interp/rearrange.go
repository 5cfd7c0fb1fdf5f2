package interp

import (
	"fmt"

	"mnet-edge/graph"
)

// The operators whose every element is one of x, all by one kernel: a table of places.

// rearrange returns what computes such a node.
func (c *compiler) rearrange(n *graph.Node) (func(), error) {
	switch x := c.data[n.In[0]].(type) {
	case []float32:
		return gather(x, c.data[n.Out].([]float32), c.sources(n)), nil
	case []int8:
		return gather(x, c.data[n.Out].([]int8), c.sources(n)), nil
	case []int16:
		return gather(x, c.data[n.Out].([]int16), c.sources(n)), nil
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

// gather: out[i] = x[from[i]].
func gather[T any](x, out []T, from []int) func() {
	return func() {
		for i, at := range from {
			out[i] = x[at]
		}
	}
}

// sources gives, for each element of the node's result, its place in x. Every dimension of the result selects on its own, so a place is a sum
// of one term a dimension; for most operators that term is index*step, once a dimension like H is divided into (H/Block, Block).
func (c *compiler) sources(n *graph.Node) []int {
	x, out := n.In[0].Type.Shape, n.Out.Type.Shape
	step := graph.Strides(x)
	switch op := n.Op.(type) {
	case graph.Transpose:
		steps := make([]int, len(step))
		for i, p := range op.Perm {
			steps[i] = step[p]
		}
		return graph.Offsets(out, steps, 0)
	case graph.Slice:
		start := 0
		for i, s := range step {
			start += op.Begin[i] * s
			step[i] *= op.Step[i]
		}
		return graph.Offsets(out, step, start)
	case graph.SpaceToDepth: // (n, y, x, dy, dx, c)
		b := op.Block
		return graph.Offsets([]int{out[0], out[1], out[2], b, b, x[3]},
			[]int{step[0], b * step[1], b * step[2], step[1], step[2], 1}, 0)
	case graph.DepthToSpace: // (n, y, dy, x, dx, c)
		b := op.Block
		return graph.Offsets([]int{x[0], x[1], b, x[2], b, out[3]},
			[]int{step[0], step[1], b * out[3], step[2], out[3], 1}, 0)
	case graph.Tile: // each dimension is repeated by one in front of it that leads nowhere
		var dims, steps []int
		for i, d := range x {
			dims, steps = append(dims, op.Times[i], d), append(steps, 0, step[i])
		}
		return graph.Offsets(dims, steps, 0)
	case graph.MirrorPad:
		axes := make([][]int, len(x))
		for i := range axes {
			axes[i] = mirrored(x[i], op.Before[i], op.After[i], op.Symmetric)
		}
		return grid(axes, step)
	case graph.Resize: // the nearest
		axes := [][]int{counted(x[0]), nil, nil, counted(x[3])}
		for i := range 2 {
			for o := range out[1+i] {
				axes[1+i] = append(axes[1+i], c.place(op, o, x[1+i], out[1+i], n.Out.Type.DType).lo)
			}
		}
		return grid(axes, step)
	}
	return nil
}

// grid are the places of all elements whose index along each axis is one of the given.
func grid(axes [][]int, step []int) []int {
	at := []int{0}
	for i, axis := range axes {
		next := make([]int, 0, len(at)*len(axis))
		for _, base := range at {
			for _, k := range axis {
				next = append(next, base+k*step[i])
			}
		}
		at = next
	}
	return at
}

func counted(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// mirrored are the indices of d elements between as many of their reflections.
func mirrored(d, before, after int, symmetric bool) []int {
	s := make([]int, before+d+after)
	turn := 0 // from the border to its reflection
	if symmetric {
		turn = 1
	}
	for i := range s {
		k := i - before
		switch {
		case k < 0:
			k = -k - turn
		case k >= d:
			k = 2*(d-1) - k + turn
		}
		s[i] = k
	}
	return s
}
