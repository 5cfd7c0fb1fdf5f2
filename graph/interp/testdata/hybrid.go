//go:build ignore

// Hybrid writes a model of float32 activations and int8 weights (dynamic range quantization): each operator with
// weights, in the forms that have kernels of their own, on the input and on the results of others. The weights are
// random. Beside it go 8 inputs of random numbers, one of them zero.
//
//	go run hybrid.go DIR    writes DIR/hybrid.tflite and DIR/hybrid.bin, for vectors.py --ref-only
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

var random = rand.New(rand.NewPCG(17, 19))

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: hybrid DIR")
	}
	g := network()
	b, err := tflite.Encode(g)
	if err != nil {
		log.Fatal(err)
	}
	write("hybrid.tflite", b)
	size := g.Inputs[0].Type.Elements()
	x := make([]float32, 8*size)
	for i := range x[size:] {
		x[size+i] = float32(random.NormFloat64())
		if i >= 5*size { // all positive, and all negative
			x[size+i] = float32(math.Abs(random.NormFloat64()) * float64(1-2*(i/size%2)))
		}
	}
	var raw bytes.Buffer
	if err := binary.Write(&raw, binary.LittleEndian, x); err != nil {
		log.Fatal(err)
	}
	write("hybrid.bin", raw.Bytes())
}

func write(name string, b []byte) {
	if err := os.WriteFile(filepath.Join(os.Args[1], name), b, 0o644); err != nil {
		log.Fatal(err)
	}
}

func network() *graph.Graph {
	g := graph.New("hybrid")
	g.Level = graph.Quantized
	x := g.Input("x", graph.Type{DType: graph.Float32, Shape: []int{1, 9, 10, 6}})
	window := func(sy, sx, dy, dx int, p graph.Padding) graph.Window {
		return graph.Window{Stride: [2]int{sy, sx}, Dilation: [2]int{dy, dx}, Padding: p}
	}
	y := layer(g, "conv", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same), Act: graph.ReLU}, x, []int{16, 3, 3, 6}, true)
	y = layer(g, "depthwise", graph.DepthwiseConv2D{Window: window(2, 2, 1, 1, graph.Same), Act: graph.ReLU6}, y, []int{1, 3, 3, 16}, true)
	y = layer(g, "pointwise", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same)}, y, []int{33, 1, 1, 16}, true)
	y = layer(g, "multiplied", graph.DepthwiseConv2D{Window: window(1, 1, 1, 1, graph.Same)}, y, []int{1, 3, 3, 66}, true)
	flat := g.Apply("flat", graph.Reshape{Shape: []int{1, 5 * 5 * 66}}, y)
	layer(g, "dense_symmetric", graph.FullyConnected{Act: graph.ReLU}, flat, []int{20, 5 * 5 * 66}, false)
	rows := g.Apply("rows", graph.Reshape{Shape: []int{25, 66}}, y)
	layer(g, "dense_rows", graph.FullyConnected{Asymmetric: true}, rows, []int{20, 66}, false)
	layer(g, "conv_grouped", graph.Conv2D{Window: window(1, 1, 1, 1, graph.Same)}, x, []int{14, 3, 2, 3}, true)
	layer(g, "conv_uneven", graph.Conv2D{Window: window(1, 2, 1, 1, graph.Valid)}, x, []int{17, 2, 3, 6}, true)
	layer(g, "conv_per_tensor", graph.Conv2D{Window: window(2, 1, 1, 1, graph.Same), Act: graph.ReLU}, x, []int{17, 2, 3, 6}, false)
	y = layer(g, "dense_channels", graph.FullyConnected{Asymmetric: true}, flat, []int{20, 5 * 5 * 66}, true)
	g.Outputs = []*graph.Value{layer(g, "dense", graph.FullyConnected{Asymmetric: true}, y, []int{10, 20}, false)}
	return g
}

// layer applies op with random weights.
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
	wq := quant.PerTensor(0.0017, 0)
	if perChannel {
		scale := make([]float32, channels)
		for c := range scale {
			scale[c] = float32(0.0017 * math.Exp(random.NormFloat64()/3))
		}
		wq = quant.PerChannel(scale, axis)
	}
	bias := make([]float32, channels)
	for c := range bias {
		bias[c] = float32(random.NormFloat64() / 4)
	}
	return g.Apply(name, op, x,
		graph.Const(name+".weight", graph.Type{DType: graph.Int8, Shape: shape, Quant: wq}, w),
		graph.Const(name+".bias", graph.Type{DType: graph.Float32, Shape: []int{channels}}, bias))
}
