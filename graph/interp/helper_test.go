package interp

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// The draws of rapid are the same in every run; -rapid.seed=0 draws others, as make soak does.
func init() { flag.Set("rapid.seed", "1") }

// Shorthands for building graphs.

var floatType = graphtest.Floats

func int8Type(scale float32, zero int32, shape ...int) graph.Type {
	return graphtest.Ints(graph.Int8, scale, zero, shape...)
}

// layer applies op to x in g: float32 weights (and no quantization) or int8 weights of the given scales and an int32
// bias. out is the quantization of an int8 result.
func layer(g *graph.Graph, name string, op graph.Op, x *graph.Value, shape []int, w, bias any, scale []float32, out *quant.Params) *graph.Value {
	if out != nil {
		l := graphtest.Layer{Op: op, Shape: shape, Scale: scale,
			Weight: func(i int) int8 { return w.([]int8)[i] }, Bias: func(c int) int32 { return bias.([]int32)[c] }}
		v := l.Apply(g, name, x)
		v.Type.Quant = out
		return v
	}
	in := []*graph.Value{x, graph.Const(name+".w", floatType(shape...), w)}
	if b, ok := bias.([]float32); ok {
		in = append(in, graph.Const(name+".b", floatType(len(b)), b))
	}
	return g.Apply(name, op, in...)
}

// machine is New with the error fatal.
func machine(t testing.TB, g *graph.Graph, opts Options) *Machine {
	t.Helper()
	m, err := New(g, opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// run is one Run with the error fatal; it returns the first output.
func run(t testing.TB, m *Machine, in ...any) any {
	t.Helper()
	out, err := m.Run(in...)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// eval runs g once, with the plain kernels and with the others, which must agree.
func eval(t testing.TB, g *graph.Graph, r quant.Rounding, in ...any) any {
	t.Helper()
	plain := run(t, machine(t, g, Options{Rounding: r, plain: true}), in...)
	out := run(t, machine(t, g, Options{Rounding: r}), in...)
	if d := firstDifference(plain, out); d != "" {
		t.Fatal(d)
	}
	return out
}

// Random tensors.

// randomFloats are multiples of 2^-18 in [-2, 2), the same on every machine.
func randomFloats(r *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(r.IntN(1<<20)-1<<19) / (1 << 18)
	}
	return s
}

func randomInts(r *rand.Rand, n int, lo int) []int8 {
	s := make([]int8, n)
	for i := range s {
		s[i] = int8(lo + r.IntN(128-lo))
	}
	return s
}

func randomLike(r *rand.Rand, v *graph.Value) any {
	if v.Type.DType == graph.Float32 {
		return randomFloats(r, v.Type.Elements())
	}
	return randomInts(r, v.Type.Elements(), -128)
}

// randomLayer adds a layer with random weights; an int8 one scaled so that its results spread over the whole range.
func randomLayer(r *rand.Rand, g *graph.Graph, name string, op graph.Op, x *graph.Value, shape []int, perChannel bool, zero int32) *graph.Value {
	n, channels := floatType(shape...).Elements(), graphtest.Layer{Op: op, Shape: shape}.Channels()
	depth := float64(n / channels)
	if x.Type.DType == graph.Float32 {
		return layer(g, name, op, x, shape, randomFloats(r, n), randomFloats(r, channels), nil, nil)
	}
	scale := make([]float32, 1)
	if perChannel {
		scale = make([]float32, channels)
	}
	for c := range scale {
		scale[c] = float32(0.002 * math.Exp(r.NormFloat64()/2))
	}
	spread := 73 * 73 * math.Sqrt(depth) // deviation of the accumulator
	bias := make([]int32, channels)
	for c := range bias {
		bias[c] = int32(spread * r.NormFloat64())
	}
	out := quant.PerTensor(float32(float64(x.Type.Quant.Scale[0])*0.002*spread/60), zero)
	return layer(g, name, op, x, shape, randomInts(r, n, -127), bias, scale, out)
}

// randomNet is a network of the spec's layers with random weights and batch norms left out.
func randomNet(spec model.Spec, d graph.DType) *graph.Graph {
	r := rand.New(rand.NewPCG(1, 2))
	g := graph.New(spec.Name())
	t := int8Type(1./255, -128, 1, spec.Size, spec.Size, 3)
	g.Level = graph.Quantized
	if d == graph.Float32 {
		t = floatType(t.Shape...)
		g.Level = graph.Folded
	}
	x := g.Input("image", t)
	for _, l := range spec.Layers() {
		act := graph.Linear
		if l.ReLU {
			act = graph.ReLU
		}
		w := graph.Dense(l.Stride, graph.Same)
		var op graph.Op
		var shape []int
		switch l.Kind {
		case model.Conv:
			op, shape = graph.Conv2D{Window: w, Act: act}, []int{l.Out, l.Kernel, l.Kernel, l.In}
		case model.Depthwise:
			op, shape = graph.DepthwiseConv2D{Window: w, Act: act}, []int{1, l.Kernel, l.Kernel, l.Out}
		case model.Linear:
			q := x.Type.Quant
			x = g.Apply("mean", graph.Mean{Axes: []int{1, 2}}, x)
			x.Type.Quant = q
			op, shape = graph.FullyConnected{Act: act}, []int{l.Out, l.In}
		}
		x = randomLayer(r, g, l.Name, op, x, shape, l.Kind != model.Linear, -128+int32(r.IntN(128)))
	}
	g.Outputs = []*graph.Value{x}
	return g
}

func spec(width float64) model.Spec {
	s := model.DefaultSpec(model.NetD)
	s.Width = width
	return s
}

func BenchmarkRun(b *testing.B) {
	for _, width := range []float64{0.25, 1} {
		for _, d := range []graph.DType{graph.Float32, graph.Int8} {
			b.Run(fmt.Sprintf("%s/%v", spec(width).Name(), d), func(b *testing.B) {
				g := randomNet(spec(width), d)
				m := machine(b, g, Options{})
				in := randomLike(rand.New(rand.NewPCG(3, 4)), g.Inputs[0])
				for b.Loop() {
					run(b, m, in)
				}
			})
		}
	}
}
