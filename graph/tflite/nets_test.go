package tflite

import (
	"math/rand/v2"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
)

// floatNet has every operator of a folded network: 8x8 RGB to 4 classes.
func floatNet() *graph.Graph {
	r := rand.New(rand.NewPCG(1, 1))
	g := graph.New("float net")
	g.Level = graph.Folded
	x := g.Input("image", graphtest.Floats(1, 8, 8, 3))
	x = g.Apply("pad", graph.Pad{Before: []int{0, 1, 1, 0}, After: []int{0, 1, 1, 0}}, x)
	x = g.Apply("stem", graph.Conv2D{Window: graph.Dense(2, graph.Valid), Act: graph.ReLU6}, x, weights(r, "stem/w", 6, 3, 3, 3), weights(r, "stem/b", 6))
	x = g.Apply("dw", graph.DepthwiseConv2D{Window: graph.Dense(1, graph.Same), Act: graph.ReLU}, x, weights(r, "dw/w", 1, 3, 3, 12), weights(r, "dw/b", 12))
	wide := graph.Dense(1, graph.Same)
	wide.Dilation = [2]int{2, 3}
	x = g.Apply("dilated", graph.DepthwiseConv2D{Window: wide}, x, weights(r, "dilated/w", 1, 3, 3, 12), weights(r, "dilated/b", 12))
	x = g.Apply("grouped", graph.Conv2D{Window: wide}, x, weights(r, "grouped/w", 8, 1, 1, 6), weights(r, "grouped/b", 8))
	x = g.Apply("relu", graph.Activate{Act: graph.ReLU}, x)
	x = g.Apply("relu6", graph.Activate{Act: graph.ReLU6}, x)
	x = g.Apply("mean", graph.Mean{Axes: []int{1, 2}, KeepDims: true}, x)
	x = g.Apply("flat", graph.Reshape{Shape: []int{1, 8}}, x)
	x = g.Apply("fc", graph.FullyConnected{}, x, weights(r, "fc/w", 4, 8), weights(r, "fc/b", 4))
	x = g.Apply("unbiased", graph.FullyConnected{Act: graph.ReLU}, x, weights(r, "unbiased/w", 3, 4))
	g.Outputs = []*graph.Value{x}
	return g
}

// int8Net is a quantized network with float input and two outputs, one float, and everything Meta holds.
func int8Net() *graph.Graph {
	r := rand.New(rand.NewPCG(2, 2))
	g := graph.New("int8 net")
	g.Level = graph.Quantized
	in := g.Input("image", graphtest.Floats(1, 8, 8, 3))
	x := graphtest.As(g.Apply("image/q", graph.Quantize{To: graph.Int8}, in), 1/255.0, -128)
	x = graphtest.As(g.Apply("pad", graph.Pad{Before: []int{0, 1, 1, 0}, After: []int{0, 1, 1, 0}}, x), 1/255.0, -128)
	x = graphtest.As(integer(r, g, "stem", graph.Conv2D{Window: graph.Dense(2, graph.Valid), Act: graph.ReLU6}, x, 6, 3, 3, 3), 0.0235, -128)
	x = graphtest.As(integer(r, g, "dw", graph.DepthwiseConv2D{Window: graph.Dense(1, graph.Same), Act: graph.ReLU}, x, 1, 3, 3, 6), 0.05, -128)
	x = graphtest.As(integer(r, g, "pw", graph.Conv2D{Window: graph.Dense(1, graph.Same)}, x, 8, 1, 1, 6), 0.07, 3)
	x = graphtest.As(g.Apply("relu6", graph.Activate{Act: graph.ReLU6}, x), 0.0235, -128)
	x = graphtest.As(g.Apply("mean", graph.Mean{Axes: []int{1, 2}}, x), 0.02, -100)
	x = graphtest.As(integer(r, g, "fc", graph.FullyConnected{}, x, 4, 8), 0.1, 7)
	y := g.Apply("logits", graph.Dequantize{}, x)
	x = graphtest.As(g.Apply("column", graph.Reshape{Shape: []int{4, 1}}, x), 0.1, 7)
	g.Outputs = []*graph.Value{y, x}
	g.Meta = graph.Meta{
		Description: "a test", Version: "v1", Author: "someone", License: "MIT",
		Labels: []string{"airplane", "auto, mobile", "été", ""},
		Mean:   []float32{123.675, 116.28, 103.53}, Std: []float32{58.395, 57.12, 57.375},
		Extra: map[string][]byte{"recipe": []byte(`{"calibrator":"minmax"}`), "empty": {}},
	}
	return g
}

// branched is a network of the operators without weights, float32 or, where in has a quantization, int8.
func branched(in graph.Type) *graph.Graph {
	r := rand.New(rand.NewPCG(3, 3))
	g := graph.New("branched")
	g.Level = graph.Folded
	if in.Quant != nil {
		g.Level = graph.Quantized
	}
	apply := func(name string, scale float32, zero int32, op graph.Op, in ...*graph.Value) *graph.Value {
		v := g.Apply(name, op, in...)
		if v.Type.DType == graph.Int8 {
			graphtest.As(v, scale, zero)
		}
		return v
	}
	operand := func(name string, shape ...int) *graph.Value {
		if in.Quant == nil {
			return weights(r, name, shape...)
		}
		t := graphtest.Ints(graph.Int8, 0.3, -7, shape...)
		data := make([]int8, t.Elements())
		for i := range data {
			data[i] = int8(r.IntN(256) - 128)
		}
		return graph.Const(name, t, data)
	}
	same := func(name string, op graph.Op, in ...*graph.Value) *graph.Value {
		return apply(name, 0.02, 5, op, in...)
	}
	x := g.Input("image", in)
	swish := apply("swish", 0.01, -100, graph.Unary{Fn: graph.HardSwish}, x)
	gate := apply("gate", 1./256, -128, graph.Unary{Fn: graph.Logistic}, x)
	y := apply("mul", 0.02, 5, graph.Arithmetic{Fn: graph.Mul}, swish, gate)
	y = apply("sub", 0.02, 5, graph.Arithmetic{Fn: graph.Sub, Act: graph.ReLU}, operand("five", 5), y)
	wide := apply("coarse mul", 0.001, 3, graph.Arithmetic{Fn: graph.Mul}, y, operand("scalar"))
	y = same("add", graph.Arithmetic{Act: graph.ReLU6}, y, wide)
	a := same("average", graph.Pool{Window: graph.Dense(2, graph.Same), Size: [2]int{3, 2}, Act: graph.ReLU6}, y)
	b := same("max", graph.Pool{Fn: graph.Max, Window: graph.Dense(2, graph.Valid), Size: [2]int{2, 1}}, y)
	c := same("bilinear", graph.Resize{Size: [2]int{3, 4}, HalfPixel: true}, y)
	d := same("nearest", graph.Resize{Fn: graph.Nearest, Size: [2]int{3, 4}, AlignCorners: true}, y)
	y = same("concat", graph.Concat{Axis: 3}, a, b, c, d, a)
	y = same("transpose", graph.Transpose{Perm: []int{0, 2, 3, 1}}, y)
	if in.Quant == nil {
		y = g.Apply("rows", graph.FullyConnected{KeepDims: true}, y, weights(r, "rows/w", 4, 3), weights(r, "rows/b", 4))
		y = g.Apply("all", graph.FullyConnected{}, y, weights(r, "all/w", 6, 400))
	}
	y = apply("softmax", 1./256, -128, graph.Softmax{Beta: 0.25}, y)
	g.Outputs = []*graph.Value{y}
	return g
}

func weights(r *rand.Rand, name string, shape ...int) *graph.Value {
	return graphtest.Const(name, func(int) float32 { return r.Float32() - 0.5 }, shape...)
}

// integer applies an operator with int8 weights, per channel but for a fully connected layer.
func integer(r *rand.Rand, g *graph.Graph, name string, op graph.Op, x *graph.Value, shape ...int) *graph.Value {
	l := graphtest.Layer{Op: op, Shape: shape, Scale: []float32{0.01},
		Weight: func(int) int8 { return int8(r.IntN(255) - 127) }, Bias: func(int) int32 { return int32(r.IntN(2000) - 1000) }}
	if _, ok := op.(graph.FullyConnected); !ok {
		l.Scale = make([]float32, l.Channels())
		for c := range l.Scale {
			l.Scale[c] = 0.001 + r.Float32()/100
		}
	}
	return l.Apply(g, name, x)
}

// ranged gives every activation of a folded network a range.
func ranged(g *graph.Graph) *graph.Graph {
	g.Level = graph.Ranged
	for i, v := range g.Values() {
		if !v.Constant() {
			v.Range = &graph.Interval{Min: -float32(i), Max: 1.5 * float32(i)}
		}
	}
	return g
}

// nets are the networks that tests go through.
func nets(t testing.TB) map[string]*graph.Graph {
	t.Helper()
	m := map[string]*graph.Graph{
		"float": floatNet(), "int8": int8Net(), "ranged": ranged(floatNet()), "branched": branched(graphtest.Floats(1, 6, 8, 5)),
		"products":      productNet(),
		"int8 branched": branched(graphtest.Ints(graph.Int8, 0.04, 9, 1, 6, 8, 5)),
	}
	for name, g := range m {
		if err := g.Check(); err != nil {
			t.Fatal(name, err)
		}
	}
	return m
}
