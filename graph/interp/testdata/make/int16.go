package main

import (
	"math"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// int16s are the operators of int16 activations and int8 weights: convolutions in all their forms, sums and products of
// scales near and far apart, means, pools, resizing, both tables of softmax, activations on their own. It has 8 inputs of
// random integers.
func int16s() (*graph.Graph, any) {
	m := newMaker("int16", 11, 13)
	m.layers = layers{most: 127, weight: graph.Int8, bias: graph.Int64, scale: 0.007, spread: 73 * 8000, steps: 12000}
	x := m.Input("x", integers(graph.Int16, 0.0002, 0, 1, 7, 6, 6))
	apply := func(op graph.Op, scale float32, in ...*graph.Value) *graph.Value { return m.apply(op, scale, 0, in...) }
	same := m.same
	operand := func(scale float32, shape ...int) *graph.Value {
		return m.operand(integers(graph.Int16, scale, 0, shape...))
	}
	y := m.layer("grouped", graph.Conv2D{Window: window(1, 1, 2, 1, graph.Same), Act: graph.ReLU}, x, []int{14, 3, 2, 3}, true, 0)
	y = m.layer("multiplied", graph.DepthwiseConv2D{Window: window(2, 2, 1, 1, graph.Same), Act: graph.ReLU6}, y, []int{1, 3, 3, 28}, false, 0)
	y = same(graph.Pad{Before: []int{0, 1, 0, 0}, After: []int{0, 0, 1, 0}}, y)
	y = m.layer("uneven", graph.Conv2D{Window: window(1, 2, 1, 1, graph.Valid)}, y, []int{17, 2, 3, 28}, false, 0)
	y = m.layer("dilated", graph.DepthwiseConv2D{Window: window(1, 1, 2, 2, graph.Same)}, y, []int{1, 3, 3, 17}, true, 0)
	y = m.layer("pointwise", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same), Act: graph.ReLU6}, y, []int{33, 1, 1, 17}, true, 0)
	scale := y.Type.Quant.Scale[0]
	y = apply(graph.Mean{Axes: []int{2}, KeepDims: true}, scale*0.9, y)
	y = apply(graph.Mean{Axes: []int{1}}, scale*0.4, y)
	y = same(graph.Reshape{Shape: []int{1, 33}}, y)
	y = m.layer("per_channel", graph.FullyConnected{Act: graph.ReLU}, y, []int{20, 33}, true, 0)
	y = m.layer("per_tensor", graph.FullyConnected{}, y, []int{10, 20}, false, 0)
	for _, beta := range []float32{1, 0.37, 20} {
		apply(graph.Softmax{Beta: beta}, 1./32768, y)
		apply(graph.Softmax{Beta: beta}, 1./32768, x)
	}

	to16 := graph.Quantize{To: graph.Int16}
	fine, coarse := apply(to16, 0.00001, x), apply(to16, 0.01, x)
	for _, in := range []*graph.Value{x, fine, coarse} {
		apply(graph.Unary{Fn: graph.Logistic}, 1./32768, in)
	}
	for _, fn := range []graph.BinaryFunc{graph.Add, graph.Sub, graph.Mul} {
		op := graph.Arithmetic{Fn: fn}
		apply(op, 0.0003, x, x)
		apply(op, 0.0003, x, coarse)
		apply(op, 0.01, fine, coarse)
		apply(op, 0.0001, x, operand(0.0002, 6))
		apply(op, 0.0002, operand(0.0001, 7, 1, 6), x)
		apply(op, 0.0002, x, operand(0.00017))
		for _, act := range []graph.Activation{graph.ReLU, graph.ReLU6} {
			apply(op.WithActivation(act), 0.0003, x, fine)
			apply(op.WithActivation(act), 0.011, x, coarse)
		}
	}
	for _, act := range []graph.Activation{graph.ReLU, graph.ReLU6} {
		apply(graph.Activate{Act: act}, 0.0002, x)
		apply(graph.Activate{Act: act}, 0.00017, x)
		apply(graph.Activate{Act: act}, 0.0023, coarse)
	}
	for _, fn := range []graph.PoolFunc{graph.Average, graph.Max} {
		for act := graph.Linear; act <= graph.ReLU6; act++ {
			same(graph.Pool{Fn: fn, Window: graph.Dense(2, graph.Same), Size: [2]int{3, 2}, Act: act}, x)
			same(graph.Pool{Fn: fn, Window: graph.Dense(3, graph.Same), Size: [2]int{9, 9}, Act: act}, coarse)
		}
	}
	for _, size := range [][2]int{{14, 12}, {3, 2}, {29, 5}} {
		for _, r := range []graph.Resize{{}, {AlignCorners: true}, {HalfPixel: true}} {
			for _, r.Fn = range []graph.ResizeFunc{graph.Bilinear, graph.Nearest} {
				r.Size = size
				same(r, x)
			}
		}
	}
	same(graph.Transpose{Perm: []int{2, 1, 0, 3}}, x)
	same(graph.Concat{Axis: 2}, x, x, operand(0.0002, 1, 7, 2, 6))
	to8 := m.Apply("int8", graph.Quantize{To: graph.Int8}, x)
	to8.Type.Quant = quant.PerTensor(0.05, -7)
	back := apply(to16, 0.0007, to8)
	m.Outputs = []*graph.Value{m.Apply("y", graph.Dequantize{}, back)}
	in := make([]int16, 8*x.Type.Elements())
	for i := range in {
		in[i] = int16(m.random.NormFloat64() * 8000)
		if m.random.IntN(20) == 0 {
			in[i] = []int16{math.MinInt16, math.MaxInt16, 0, 1, -1}[m.random.IntN(5)]
		}
	}
	return m.Graph, in
}
