//go:build ignore

// Operators writes a model that passes its input through the integer operators with weights, in the forms an ordinary network
// leaves out: groups, dilation, uneven strides, a depthwise multiplier, weights per tensor and per channel, zero points
// at both ends, means over one axis, a rescaling. The weights are random. Beside it go 16 inputs, half of them ties of
// the first quantization.
//
//	go run operators.go DIR    writes DIR/operators.tflite and DIR/operators.bin, for vectors.py
package main

import (
	"bytes"
	"encoding/binary"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/quant"
)

var random = rand.New(rand.NewPCG(2, 3))

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: operators DIR")
	}
	g := network()
	if err := g.Check(); err != nil {
		log.Fatal(err)
	}
	b, err := tflite.Encode(g)
	if err != nil {
		log.Fatal(err)
	}
	write("operators.tflite", b)

	const images = 16
	scale := g.Nodes[0].Out.Type.Quant.Scale[0]
	x := make([]float32, images*g.Inputs[0].Type.Elements())
	for i := range x {
		x[i] = float32(random.IntN(560)-280) * (scale / 2)
	}
	var raw bytes.Buffer
	if err := binary.Write(&raw, binary.LittleEndian, x); err != nil {
		log.Fatal(err)
	}
	write("operators.bin", raw.Bytes())
}

func write(name string, b []byte) {
	if err := os.WriteFile(filepath.Join(os.Args[1], name), b, 0o644); err != nil {
		log.Fatal(err)
	}
}

func network() *graph.Graph {
	g := graph.New("operators")
	g.Level = graph.Quantized
	window := func(sy, sx, dy, dx int, p graph.Padding) graph.Window {
		return graph.Window{Stride: [2]int{sy, sx}, Dilation: [2]int{dy, dx}, Padding: p}
	}
	with := func(v *graph.Value, scale float32, zero int32) *graph.Value {
		v.Type.Quant = quant.PerTensor(scale, zero)
		return v
	}
	x := g.Input("x", graph.Type{DType: graph.Float32, Shape: []int{1, 9, 10, 6}})
	x = with(g.Apply("quantize", graph.Quantize{To: graph.Int8}, x), 0.031, 9)
	x = layer(g, "grouped", graph.Conv2D{Window: window(1, 1, 2, 1, graph.Same), Act: graph.ReLU}, x, []int{14, 3, 2, 3}, true, -128)
	x = with(g.Apply("rescale", graph.Quantize{To: graph.Int8}, x), x.Type.Quant.Scale[0]*0.73, -90)
	x = layer(g, "multiplied", graph.DepthwiseConv2D{Window: window(2, 2, 1, 1, graph.Same), Act: graph.ReLU6}, x, []int{1, 3, 3, 28}, false, 0)
	pad := g.Apply("pad", graph.Pad{Before: []int{0, 1, 0, 0}, After: []int{0, 0, 1, 0}}, x)
	pad.Type.Quant = x.Type.Quant
	x = layer(g, "uneven", graph.Conv2D{Window: window(1, 2, 1, 1, graph.Valid)}, pad, []int{17, 2, 3, 28}, false, 127)
	x = layer(g, "dilated", graph.DepthwiseConv2D{Window: window(1, 1, 2, 2, graph.Same)}, x, []int{1, 3, 3, 17}, true, -3)
	x = layer(g, "pointwise", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same), Act: graph.ReLU6}, x, []int{33, 1, 1, 17}, true, -20)
	x = with(g.Apply("mean_width", graph.Mean{Axes: []int{2}, KeepDims: true}, x), x.Type.Quant.Scale[0]*0.9, -128)
	x = with(g.Apply("mean_height", graph.Mean{Axes: []int{1}}, x), x.Type.Quant.Scale[0]*0.4, -100)
	flat := g.Apply("reshape", graph.Reshape{Shape: []int{1, 33}}, x)
	flat.Type.Quant = x.Type.Quant
	x = layer(g, "per_channel", graph.FullyConnected{Act: graph.ReLU}, flat, []int{20, 33}, true, -128)
	x = layer(g, "per_tensor", graph.FullyConnected{}, x, []int{10, 20}, false, 12)
	g.Outputs = []*graph.Value{g.Apply("y", graph.Dequantize{}, x)}
	return g
}

// layer applies op with random weights, scaled so that the results spread over the whole range.
func layer(g *graph.Graph, name string, op graph.Op, x *graph.Value, shape []int, perChannel bool, zero int32) *graph.Value {
	axis := 0
	if _, ok := op.(graph.DepthwiseConv2D); ok {
		axis = 3
	}
	channels, n := shape[axis], 1
	for _, d := range shape {
		n *= d
	}
	w := make([]int8, n)
	const most = 7 // small weights need large multipliers, on which the kinds of rounding differ most
	for i := range w {
		w[i] = int8(random.IntN(2*most+1) - most)
	}
	wq := quant.PerTensor(0.07, 0)
	if perChannel {
		scale := make([]float32, channels)
		for c := range scale {
			scale[c] = float32(0.07 * math.Exp(random.NormFloat64()/3))
		}
		wq = quant.PerChannel(scale, axis)
	}
	spread := most / 1.7 * 50 * math.Sqrt(float64(n/channels)) // deviation of the accumulator
	bias, bq := make([]int32, channels), &quant.Params{}
	for c := range bias {
		bias[c] = int32(spread * random.NormFloat64() / 2)
	}
	for c := range wq.Scale {
		bq.Scale, bq.Zero = append(bq.Scale, graph.BiasScale(x.Type.Quant, wq, c)), append(bq.Zero, 0)
	}
	y := g.Apply(name, op, x,
		graph.Const(name+".weight", graph.Type{DType: graph.Int8, Shape: shape, Quant: wq}, w),
		graph.Const(name+".bias", graph.Type{DType: graph.Int32, Shape: []int{channels}, Quant: bq}, bias))
	y.Type.Quant = quant.PerTensor(float32(float64(x.Type.Quant.Scale[0])*0.07*spread/60), zero)
	return y
}
