package main

import (
	"math"

	"mnet-edge/graph"
)

// hybrid are float32 activations and int8 weights (dynamic range quantization): each operator with weights, in the forms
// that have kernels of their own, on the input and on the results of others. It has 8 inputs of random numbers, one of
// them zero.
func hybrid() (*graph.Graph, any) {
	m := newMaker("hybrid", 17, 19)
	m.layers = layers{most: 127, weight: graph.Int8, bias: graph.Float32, scale: 0.0017}
	x := m.Input("x", graph.Type{DType: graph.Float32, Shape: []int{1, 9, 10, 6}})
	y := m.layer("conv", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same), Act: graph.ReLU}, x, []int{16, 3, 3, 6}, true, 0)
	y = m.layer("depthwise", graph.DepthwiseConv2D{Window: window(2, 2, 1, 1, graph.Same), Act: graph.ReLU6}, y, []int{1, 3, 3, 16}, true, 0)
	y = m.layer("pointwise", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same)}, y, []int{33, 1, 1, 16}, true, 0)
	y = m.layer("multiplied", graph.DepthwiseConv2D{Window: window(1, 1, 1, 1, graph.Same)}, y, []int{1, 3, 3, 66}, true, 0)
	flat := m.Apply("flat", graph.Reshape{Shape: []int{1, 5 * 5 * 66}}, y)
	m.layer("dense_symmetric", graph.FullyConnected{Act: graph.ReLU}, flat, []int{20, 5 * 5 * 66}, false, 0)
	rows := m.Apply("rows", graph.Reshape{Shape: []int{25, 66}}, y)
	m.layer("dense_rows", graph.FullyConnected{Asymmetric: true}, rows, []int{20, 66}, false, 0)
	m.layer("conv_grouped", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same)}, x, []int{14, 3, 2, 3}, true, 0)
	m.layer("conv_uneven", graph.Conv2D{Window: window(1, 2, 1, 1, graph.Valid)}, x, []int{17, 2, 3, 6}, true, 0)
	m.layer("conv_per_tensor", graph.Conv2D{Window: window(2, 1, 1, 1, graph.Same), Act: graph.ReLU}, x, []int{17, 2, 3, 6}, false, 0)
	y = m.layer("dense_channels", graph.FullyConnected{Asymmetric: true}, flat, []int{20, 5 * 5 * 66}, true, 0)
	m.Outputs = []*graph.Value{m.layer("dense", graph.FullyConnected{Asymmetric: true}, y, []int{10, 20}, false, 0)}
	size := x.Type.Elements()
	in := make([]float32, 8*size)
	for i := range in[size:] {
		in[size+i] = float32(m.random.NormFloat64())
		if i >= 5*size { // all positive, and all negative
			in[size+i] = float32(math.Abs(m.random.NormFloat64()) * float64(1-2*(i/size%2)))
		}
	}
	return m.Graph, in
}
