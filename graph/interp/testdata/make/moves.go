package main

import "mnet-edge/graph"

// moves are the operators that move elements, and the largest and smallest of them, of int8 or int16. It has 4 inputs of
// random integers. DEPTH_TO_SPACE and TILE are not among them: LiteRT's reference kernels do not know their versions for
// int8.
func moves(name string, x graph.Type) *maker {
	m := newMaker(name, 11, 13)
	v := m.Input("x", x)
	slice := func(begin, size, step []int) graph.Op { return graph.Slice{Begin: begin, Size: size, Step: step} }
	ones := []int{1, 1, 1, 1, 1}
	for _, op := range []graph.Op{
		slice([]int{0, 2, 1, 3}, []int{1, 3, 2, 5}, ones[:4]),
		slice([]int{0, 0, 0, 0}, []int{1, 6, 4, 4}, ones[:4]),
		slice([]int{0, 1, 0, 1}, []int{1, 3, 4, 3}, []int{1, 2, 1, 3}),
		slice([]int{0, 5, 3, 0}, []int{1, 6, 2, 8}, []int{1, -1, -2, 1}), // up to the first element, which has none before it
		slice([]int{0, 4, 2, 7}, []int{1, 2, 2, 3}, []int{1, -2, -1, -2}),
		graph.SpaceToDepth{Block: 2},
		graph.MirrorPad{Before: []int{0, 2, 3, 0}, After: []int{0, 5, 0, 7}},
		graph.MirrorPad{Before: []int{0, 6, 1, 0}, After: []int{1, 0, 4, 8}, Symmetric: true},
		graph.Reduce{Fn: graph.Largest, Axes: []int{1, 2}, KeepDims: true},
		graph.Reduce{Fn: graph.Largest, Axes: []int{3}},
		graph.Reduce{Fn: graph.Smallest, Axes: []int{1, 3}},
		graph.Reduce{Fn: graph.Smallest, Axes: []int{2}, KeepDims: true},
	} {
		if graph.IntegerForm(op, x.DType) == nil {
			m.same(op, v)
		}
	}
	long := m.same(graph.Reshape{Shape: []int{1, 6, 2, 2, 8}}, v)
	m.same(slice([]int{0, 1, 1, 0, 2}, []int{1, 4, 1, 2, 5}, ones), long)
	m.same(slice([]int{0, 5, 0, 1, 0}, []int{1, 3, 2, 2, 8}, []int{1, -2, 1, -1, 1}), long)
	m.same(graph.Transpose{Perm: []int{0, 3, 1, 2, 4}}, long)
	m.Outputs = []*graph.Value{m.same(slice([]int{0, 1, 0, 2}, []int{1, 2, 4, 3}, ones[:4]), v)}
	return m
}

func moves8() (*graph.Graph, any) {
	m := moves("moves", integers(graph.Int8, 0.05, -3, 1, 6, 4, 8))
	return m.Graph, m.bytes(4)
}

func moves16() (*graph.Graph, any) {
	m := moves("moves16", integers(graph.Int16, 0.0002, 0, 1, 6, 4, 8))
	return m.Graph, append(m.bytes(4), m.bytes(4)...) // two bytes an element
}
