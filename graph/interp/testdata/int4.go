//go:build ignore

// Int4 writes a model of int8 convolutions with int4 weights, an odd number of them among others, and a fully connected
// layer. The weights are random. Beside it go 8 inputs of random integers.
//
//	go run int4.go DIR    writes DIR/int4.tflite and DIR/int4.bin, for vectors.py
package main

import (
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/quant"
)

var random = rand.New(rand.NewPCG(23, 29))

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: int4 DIR")
	}
	g := network()
	b, err := tflite.Encode(g)
	if err != nil {
		log.Fatal(err)
	}
	write("int4.tflite", b)
	x := make([]byte, 8*g.Inputs[0].Type.Elements())
	for i := range x {
		x[i] = byte(random.IntN(256))
	}
	write("int4.bin", x)
}

func write(name string, b []byte) {
	if err := os.WriteFile(filepath.Join(os.Args[1], name), b, 0o644); err != nil {
		log.Fatal(err)
	}
}

func network() *graph.Graph {
	g := graph.New("int4")
	g.Level = graph.Quantized
	x := g.Input("x", graph.Type{DType: graph.Int8, Shape: []int{1, 9, 10, 6}, Quant: quant.PerTensor(0.03, 5)})
	window := func(sy, sx int, p graph.Padding) graph.Window {
		return graph.Window{Stride: [2]int{sy, sx}, Dilation: [2]int{1, 1}, Padding: p}
	}
	y := layer(g, "conv", graph.Conv2D{Window: window(1, 1, graph.Same), Act: graph.ReLU}, x, []int{16, 3, 3, 6}, true, -128)
	y = layer(g, "odd", graph.Conv2D{Window: window(2, 1, graph.Valid)}, y, []int{7, 1, 3, 16}, true, 11)
	y = layer(g, "odder", graph.Conv2D{Window: window(1, 1, graph.Same), Act: graph.ReLU6}, y, []int{9, 3, 3, 7}, true, -100)
	y = layer(g, "one_scale", graph.Conv2D{Window: window(1, 1, graph.Same)}, y, []int{18, 1, 1, 9}, false, 3)
	y = layer(g, "grouped", graph.Conv2D{Window: window(1, 2, graph.Same)}, y, []int{12, 3, 3, 6}, true, 0)
	flat := g.Apply("flat", graph.Reshape{Shape: []int{1, y.Type.Elements()}}, y)
	flat.Type.Quant = y.Type.Quant
	g.Outputs = []*graph.Value{
		layer(g, "dense", graph.FullyConnected{}, flat, []int{10, flat.Type.Shape[1]}, false, 4),
	}
	return g
}

// layer applies op with random weights, scaled so that the results spread over the whole range.
func layer(g *graph.Graph, name string, op graph.Op, x *graph.Value, shape []int, perChannel bool, zero int32) *graph.Value {
	channels, n := shape[0], 1
	for _, d := range shape {
		n *= d
	}
	w := make([]int8, n)
	for i := range w {
		w[i] = int8(random.IntN(15) - 7)
	}
	wq := quant.PerTensor(0.07, 0)
	if perChannel {
		scale := make([]float32, channels)
		for c := range scale {
			scale[c] = float32(0.07 * math.Exp(random.NormFloat64()/3))
		}
		wq = quant.PerChannel(scale, 0)
	}
	spread := 4.3 * 60 * math.Sqrt(float64(n/channels)) // deviation of the accumulator
	bias, bq := make([]int32, channels), &quant.Params{}
	for c := range bias {
		bias[c] = int32(spread * random.NormFloat64() / 2)
	}
	for c := range wq.Scale {
		bq.Scale, bq.Zero = append(bq.Scale, graph.BiasScale(x.Type.Quant, wq, c)), append(bq.Zero, 0)
	}
	y := g.Apply(name, op, x,
		graph.Const(name+".weight", graph.Type{DType: graph.Int4, Shape: shape, Quant: wq}, w),
		graph.Const(name+".bias", graph.Type{DType: graph.Int32, Shape: []int{channels}, Quant: bq}, bias))
	y.Type.Quant = quant.PerTensor(float32(float64(x.Type.Quant.Scale[0])*0.07*spread/60), zero)
	return y
}
