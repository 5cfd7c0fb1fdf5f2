package interp

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// Buffers. Where a value has been read for the last time, its buffer goes to a later value: a net's activations take the room
// of the two or three largest that are needed together, which lies in a cache, instead of that of all.

// buffers hands them out.
type buffers struct {
	last map[*graph.Value]int // the place of the node that reads a value last
	own  map[*graph.Value]bool
	free map[graph.DType][]any
}

func newBuffers(g *graph.Graph) *buffers {
	b := &buffers{map[*graph.Value]int{}, map[*graph.Value]bool{}, map[graph.DType][]any{}}
	for i, n := range g.Nodes {
		b.last[n.Out] = i // by itself, where nobody reads it
		for _, v := range n.In {
			b.last[v] = i
		}
		if _, ok := n.Op.(graph.Pad); ok || !varies(n) {
			b.own[n.Out] = true // holds from New on what no run writes
		}
	}
	for _, v := range g.Outputs {
		b.own[v] = true // holds until the next run
	}
	return b
}

// varies reports whether a node has another input than constants.
func varies(n *graph.Node) bool {
	return slices.ContainsFunc(n.In, func(v *graph.Value) bool { return !v.Constant() })
}

// take is a buffer for v.
func (b *buffers) take(v *graph.Value) (any, error) {
	switch n := v.Type.Elements(); v.Type.DType {
	case graph.Float32:
		return take[float32](b, v, n), nil
	case graph.Int8:
		return take[int8](b, v, n), nil
	case graph.UInt8:
		return take[uint8](b, v, n), nil
	case graph.Int16:
		return take[int16](b, v, n), nil
	}
	return nil, fmt.Errorf("no kernel for %v", v.Type.DType)
}

// take is the smallest of the free buffers that is large enough, or a new one.
func take[T any](b *buffers, v *graph.Value, n int) []T {
	free, best := b.free[v.Type.DType], -1
	for i := range free {
		if size := cap(free[i].([]T)); size >= n && (best < 0 || size < cap(free[best].([]T))) {
			best = i
		}
	}
	if best < 0 || b.own[v] {
		return make([]T, n)
	}
	data := free[best].([]T)
	b.free[v.Type.DType] = append(free[:best], free[best+1:]...)
	return data[:n]
}

// release gives back what node i, the one just made, reads last.
func (b *buffers) release(i int, n *graph.Node, data map[*graph.Value]any) {
	for k, v := range append(n.In[:len(n.In):len(n.In)], n.Out) {
		again := slices.Contains(n.In[:min(k, len(n.In))], v)
		if b.last[v] == i && !v.Constant() && !b.own[v] && !again {
			b.free[v.Type.DType] = append(b.free[v.Type.DType], data[v])
		}
	}
}
