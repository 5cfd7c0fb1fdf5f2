//go:build ignore

// Int16 writes a model that passes its input through the operators of int16 activations and int8 weights: convolutions
// in all their forms, sums and products of scales near and far apart, means, pools, resizing, both tables of softmax,
// activations on their own. The weights are random. Beside it go 8 inputs of random integers.
//
//	go run int16.go DIR    writes DIR/int16.tflite and DIR/int16.bin, for vectors.py
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/quant"
)

var random = rand.New(rand.NewPCG(11, 13))

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: int16 DIR")
	}
	g := network()
	b, err := tflite.Encode(g)
	if err != nil {
		log.Fatal(err)
	}
	write("int16.tflite", b)
	x := make([]int16, 8*g.Inputs[0].Type.Elements())
	for i := range x {
		x[i] = int16(random.NormFloat64() * 8000)
		if random.IntN(20) == 0 {
			x[i] = []int16{math.MinInt16, math.MaxInt16, 0, 1, -1}[random.IntN(5)]
		}
	}
	var raw bytes.Buffer
	if err := binary.Write(&raw, binary.LittleEndian, x); err != nil {
		log.Fatal(err)
	}
	write("int16.bin", raw.Bytes())
}

func write(name string, b []byte) {
	if err := os.WriteFile(filepath.Join(os.Args[1], name), b, 0o644); err != nil {
		log.Fatal(err)
	}
}

func int16s(scale float32, shape ...int) graph.Type {
	return graph.Type{DType: graph.Int16, Shape: shape, Quant: quant.PerTensor(scale, 0)}
}

func operand(scale float32, shape ...int) *graph.Value {
	t := int16s(scale, shape...)
	data := make([]int16, t.Elements())
	for i := range data {
		data[i] = int16(random.IntN(1<<16) - 1<<15)
	}
	return graph.Const("operand", t, data)
}

func network() *graph.Graph {
	g := graph.New("int16")
	g.Level = graph.Quantized
	x := g.Input("x", int16s(0.0002, 1, 7, 6, 6))
	apply := func(op graph.Op, scale float32, in ...*graph.Value) *graph.Value {
		v := g.Apply(fmt.Sprintf("%s_%d", op.Name(), len(g.Nodes)), op, in...)
		v.Type.Quant = quant.PerTensor(scale, 0)
		return v
	}
	same := func(op graph.Op, in ...*graph.Value) *graph.Value { return apply(op, in[0].Type.Quant.Scale[0], in...) }
	window := func(sy, sx, dy, dx int, p graph.Padding) graph.Window {
		return graph.Window{Stride: [2]int{sy, sx}, Dilation: [2]int{dy, dx}, Padding: p}
	}
	y := layer(g, "grouped", graph.Conv2D{Window: window(1, 1, 2, 1, graph.Same), Act: graph.ReLU}, x, []int{14, 3, 2, 3}, true)
	y = layer(g, "multiplied", graph.DepthwiseConv2D{Window: window(2, 2, 1, 1, graph.Same), Act: graph.ReLU6}, y, []int{1, 3, 3, 28}, false)
	y = same(graph.Pad{Before: []int{0, 1, 0, 0}, After: []int{0, 0, 1, 0}}, y)
	y = layer(g, "uneven", graph.Conv2D{Window: window(1, 2, 1, 1, graph.Valid)}, y, []int{17, 2, 3, 28}, false)
	y = layer(g, "dilated", graph.DepthwiseConv2D{Window: window(1, 1, 2, 2, graph.Same)}, y, []int{1, 3, 3, 17}, true)
	y = layer(g, "pointwise", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same), Act: graph.ReLU6}, y, []int{33, 1, 1, 17}, true)
	scale := y.Type.Quant.Scale[0]
	y = apply(graph.Mean{Axes: []int{2}, KeepDims: true}, scale*0.9, y)
	y = apply(graph.Mean{Axes: []int{1}}, scale*0.4, y)
	y = same(graph.Reshape{Shape: []int{1, 33}}, y)
	y = layer(g, "per_channel", graph.FullyConnected{Act: graph.ReLU}, y, []int{20, 33}, true)
	y = layer(g, "per_tensor", graph.FullyConnected{}, y, []int{10, 20}, false)
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
	to8 := g.Apply("int8", graph.Quantize{To: graph.Int8}, x)
	to8.Type.Quant = quant.PerTensor(0.05, -7)
	back := apply(to16, 0.0007, to8)
	g.Outputs = []*graph.Value{g.Apply("y", graph.Dequantize{}, back)}
	return g
}

// layer applies op with random weights, scaled so that the results spread over the whole range.
func layer(g *graph.Graph, name string, op graph.Op, x *graph.Value, shape []int, perChannel bool) *graph.Value {
	axis := 0
	if _, ok := op.(graph.DepthwiseConv2D); ok {
		axis = 3
	}
	channels, n := shape[axis], 1
	for _, d := range shape {
		n *= d
	}
	w := make([]int8, n)
	for i := range w {
		w[i] = int8(random.IntN(255) - 127)
	}
	wq := quant.PerTensor(0.007, 0)
	if perChannel {
		scale := make([]float32, channels)
		for c := range scale {
			scale[c] = float32(0.007 * math.Exp(random.NormFloat64()/3))
		}
		wq = quant.PerChannel(scale, axis)
	}
	spread := 73 * 8000 * math.Sqrt(float64(n/channels)) // deviation of the accumulator
	bias, bq := make([]int64, channels), &quant.Params{}
	for c := range bias {
		bias[c] = int64(spread * random.NormFloat64() / 2)
	}
	for c := range wq.Scale {
		bq.Scale, bq.Zero = append(bq.Scale, graph.BiasScale(x.Type.Quant, wq, c)), append(bq.Zero, 0)
	}
	y := g.Apply(name, op, x,
		graph.Const(name+".weight", graph.Type{DType: graph.Int8, Shape: shape, Quant: wq}, w),
		graph.Const(name+".bias", graph.Type{DType: graph.Int64, Shape: []int{channels}, Quant: bq}, bias))
	y.Type.Quant = quant.PerTensor(float32(float64(x.Type.Quant.Scale[0])*0.007*spread/12000), 0)
	return y
}
