package infertest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/model"
)

// Kind is how a network computes and what its input and output are.
type Kind uint8

const (
	Float     Kind = iota // float32 throughout
	Int8                  // int8 throughout
	Int8Float             // int8 between float32 input and output
)

var kinds = [...]string{"float", "int8", "int8-float"}

func (k Kind) String() string { return kinds[k] }

// Small is a network that runs in milliseconds everywhere.
var Small = model.Spec{Net: model.NetD, Width: 0.25, MidReLU: true, Padding: model.PadSame, Classes: 5, Size: 16}

// Net is the network of a spec with random weights, scaled so that activations neither vanish nor saturate, and with
// labels "class 0"... and a normalization. The same arguments give the same network.
func Net(spec model.Spec, kind Kind, seed uint64) (*graph.Graph, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	b := &builder{graph.New(spec.Name()), kind, rand.New(rand.NewPCG(seed, 0))}
	b.g.Level = graph.Folded
	if kind != Float {
		b.g.Level = graph.Quantized
	}
	x := b.input(spec.Size)
	for _, l := range spec.Layers() {
		if l.Kind == model.Linear {
			pool := b.g.Apply("pool", graph.Mean{Axes: []int{1, 2}}, x)
			if kind != Float {
				scale, zero := x.Type.Quant.At(0)
				graphtest.As(pool, 0.53*scale, zero) // no mean is half way between two steps, about which XNNPACK's versions differ
			}
			x = pool
		}
		x = b.pooled(l, b.layer(l, spec.Padding, x))
	}
	if kind == Int8Float {
		x = b.g.Apply("scores", graph.Dequantize{}, x)
	}
	b.g.Outputs = []*graph.Value{x}
	b.g.Meta = graph.Meta{Mean: []float32{125, 123, 114}, Std: []float32{63, 62, 67}}
	for i := range spec.Classes {
		b.g.Meta.Labels = append(b.g.Meta.Labels, fmt.Sprintf("class %d", i))
	}
	return b.g, b.g.Check()
}

// Model is Net as a .tflite file.
func Model(spec model.Spec, kind Kind, seed uint64) ([]byte, error) {
	g, err := Net(spec, kind, seed)
	if err != nil {
		return nil, err
	}
	return tflite.Encode(g)
}

type builder struct {
	g    *graph.Graph
	kind Kind
	r    *rand.Rand
}

func (b *builder) input(size int) *graph.Value {
	const scale, zero = 1.0 / 64, -1
	if b.kind == Int8 {
		return b.g.Input("image", graphtest.Ints(graph.Int8, scale, zero, 1, size, size, 3))
	}
	x := b.g.Input("image", graphtest.Floats(1, size, size, 3))
	if b.kind == Int8Float {
		x = graphtest.As(b.g.Apply("image/int8", graph.Quantize{To: graph.Int8}, x), scale, zero)
	}
	return x
}

// pooled is what of the layer's output y goes on, on the same grid.
func (b *builder) pooled(l model.Layer, y *graph.Value) *graph.Value {
	if l.Pool < 2 {
		return y
	}
	pool := b.g.Apply(l.Name+"/pool", graph.Pool{Fn: graph.Max, Window: graph.Dense(l.Pool, graph.Valid), Size: [2]int{l.Pool, l.Pool}}, y)
	pool.Type.Quant = y.Type.Quant
	return pool
}

func (b *builder) layer(l model.Layer, padding model.Padding, x *graph.Value) *graph.Value {
	if l.Kernel > 1 && padding == model.PadSymmetric {
		q := x.Type.Quant
		x = b.g.Apply(l.Name+"/pad", graph.Pad{Before: []int{0, 1, 1, 0}, After: []int{0, 1, 1, 0}}, x)
		x.Type.Quant = q
	}
	window := graph.Dense(l.Stride, graph.Same)
	if padding == model.PadSymmetric {
		window.Padding = graph.Valid
	}
	act := graph.Linear
	if l.ReLU {
		act = graph.ReLU
	}
	var op graph.Op
	var shape []int
	taps := l.Kernel * l.Kernel * l.In
	switch l.Kind {
	case model.Depthwise:
		op, shape = graph.DepthwiseConv2D{Window: window, Act: act}, []int{1, l.Kernel, l.Kernel, l.Out}
		taps = l.Kernel * l.Kernel
	case model.Linear:
		op, shape = graph.FullyConnected{Act: act}, []int{l.Out, l.In}
	default:
		op, shape = graph.Conv2D{Window: window, Act: act}, []int{l.Out, l.Kernel, l.Kernel, l.In}
	}
	if b.kind == Float {
		return b.g.Apply(l.Name, op, x, b.floats(l.Name+"/weight", taps, shape...), b.floats(l.Name+"/bias", 100, l.Out))
	}
	y := b.integer(l, op, x, shape, taps)
	// Inputs are about 60 steps from zero, and the weights keep that size; the 255 steps hold three times as much.
	in, _ := x.Type.Quant.At(0)
	spread := 60 * math.Sqrt2 * in
	if l.ReLU {
		return graphtest.As(y, 3*spread/255, -128)
	}
	return graphtest.As(y, 6*spread/255, 3)
}

// floats is a constant with the variance that keeps activations at the same size after ReLU (He's).
func (b *builder) floats(name string, taps int, shape ...int) *graph.Value {
	return graphtest.Const(name, func(int) float32 { return float32(b.r.NormFloat64() * math.Sqrt(2/float64(taps))) }, shape...)
}

// integer applies op with int8 weights, per channel but for the linear layer, and a bias.
func (b *builder) integer(l model.Layer, op graph.Op, x *graph.Value, shape []int, taps int) *graph.Value {
	scale := make([]float32, l.Out)
	if l.Kind == model.Linear {
		scale = scale[:1]
	}
	for c := range scale { // integers drawn evenly from -127..127 spread by 73
		scale[c] = float32(math.Sqrt(2/float64(taps)) / 73 * (1 + b.r.Float64()/4))
	}
	return graphtest.Layer{Op: op, Shape: shape, Scale: scale,
		Weight: func(int) int8 { return int8(b.r.IntN(255) - 127) },
		Bias:   func(int) int32 { return int32(b.r.IntN(2001) - 1000) },
	}.Apply(b.g, l.Name, x)
}
