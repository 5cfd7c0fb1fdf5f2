package main

import "mnet-edge/graph"

// int4s are int8 convolutions with int4 weights, an odd number of them among others, and a fully connected layer. It has
// 8 inputs of random integers.
func int4s() (*graph.Graph, any) {
	m := newMaker("int4", 23, 29)
	m.layers = layers{most: 7, weight: graph.Int4, bias: graph.Int32, scale: 0.07, spread: 4.3 * 60, steps: 60}
	x := m.Input("x", integers(graph.Int8, 0.03, 5, 1, 9, 10, 6))
	y := m.layer("conv", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same), Act: graph.ReLU}, x, []int{16, 3, 3, 6}, true, -128)
	y = m.layer("odd", graph.Conv2D{Window: window(2, 1, 1, 1, graph.Valid)}, y, []int{7, 1, 3, 16}, true, 11)
	y = m.layer("odder", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same), Act: graph.ReLU6}, y, []int{9, 3, 3, 7}, true, -100)
	y = m.layer("one_scale", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same)}, y, []int{18, 1, 1, 9}, false, 3)
	y = m.layer("grouped", graph.Conv2D{Window: window(1, 2, 1, 1, graph.Same)}, y, []int{12, 3, 3, 6}, true, 0)
	flat := m.Apply("flat", graph.Reshape{Shape: []int{1, y.Type.Elements()}}, y)
	flat.Type.Quant = y.Type.Quant
	m.Outputs = []*graph.Value{
		m.layer("dense", graph.FullyConnected{}, flat, []int{10, flat.Type.Shape[1]}, false, 4),
	}
	return m.Graph, m.bytes(8)
}
