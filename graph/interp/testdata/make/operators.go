package main

import (
	"mnet-edge/graph"
	"mnet-edge/quant"
)

// operators are the integer operators with weights, in the forms an ordinary network leaves out: groups, dilation, uneven
// strides, a depthwise multiplier, weights per tensor and per channel, zero points at both ends, means over one axis, a
// rescaling. It has 16 inputs, half of them ties of the first quantization.
func operators() (*graph.Graph, any) {
	m := newMaker("operators", 2, 3)
	// Small weights need large multipliers, on which the kinds of rounding differ most.
	m.layers = layers{most: 7, weight: graph.Int8, bias: graph.Int32, scale: 0.07, spread: 7 / 1.7 * 50, steps: 60}
	with := func(v *graph.Value, scale float32, zero int32) *graph.Value {
		v.Type.Quant = quant.PerTensor(scale, zero)
		return v
	}
	x := m.Input("x", graph.Type{DType: graph.Float32, Shape: []int{1, 9, 10, 6}})
	x = with(m.Apply("quantize", graph.Quantize{To: graph.Int8}, x), 0.031, 9)
	x = m.layer("grouped", graph.Conv2D{Window: window(1, 1, 2, 1, graph.Same), Act: graph.ReLU}, x, []int{14, 3, 2, 3}, true, -128)
	x = with(m.Apply("rescale", graph.Quantize{To: graph.Int8}, x), x.Type.Quant.Scale[0]*0.73, -90)
	x = m.layer("multiplied", graph.DepthwiseConv2D{Window: window(2, 2, 1, 1, graph.Same), Act: graph.ReLU6}, x, []int{1, 3, 3, 28}, false, 0)
	pad := m.Apply("pad", graph.Pad{Before: []int{0, 1, 0, 0}, After: []int{0, 0, 1, 0}}, x)
	pad.Type.Quant = x.Type.Quant
	x = m.layer("uneven", graph.Conv2D{Window: window(1, 2, 1, 1, graph.Valid)}, pad, []int{17, 2, 3, 28}, false, 127)
	x = m.layer("dilated", graph.DepthwiseConv2D{Window: window(1, 1, 2, 2, graph.Same)}, x, []int{1, 3, 3, 17}, true, -3)
	x = m.layer("pointwise", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same), Act: graph.ReLU6}, x, []int{33, 1, 1, 17}, true, -20)
	x = with(m.Apply("mean_width", graph.Mean{Axes: []int{2}, KeepDims: true}, x), x.Type.Quant.Scale[0]*0.9, -128)
	x = with(m.Apply("mean_height", graph.Mean{Axes: []int{1}}, x), x.Type.Quant.Scale[0]*0.4, -100)
	flat := m.Apply("reshape", graph.Reshape{Shape: []int{1, 33}}, x)
	flat.Type.Quant = x.Type.Quant
	x = m.layer("per_channel", graph.FullyConnected{Act: graph.ReLU}, flat, []int{20, 33}, true, -128)
	x = m.layer("per_tensor", graph.FullyConnected{}, x, []int{10, 20}, false, 12)
	m.Outputs = []*graph.Value{m.Apply("y", graph.Dequantize{}, x)}
	scale := m.Nodes[0].Out.Type.Quant.Scale[0]
	in := make([]float32, 16*m.Inputs[0].Type.Elements())
	for i := range in {
		in[i] = float32(m.random.IntN(560)-280) * (scale / 2)
	}
	return m.Graph, in
}
