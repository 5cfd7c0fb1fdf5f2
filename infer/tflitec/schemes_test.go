//go:build tflite && cgo

package tflitec_test

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/tflitec"
	"mnet-edge/quant"
)

// The number formats a layer with weights can have, in TFLite's kernels and in XNNPACK: each is taken, and gives what
// the interpreter says of the rounding it has there. Of int4, convert makes convolutions only: LiteRT's reference kernels
// refuse a depthwise layer, and what computes a fully connected one differs from runtime to runtime.
func TestSchemes(t *testing.T) {
	conv := graph.Conv2D{Window: graph.Dense(1, graph.Same), Act: graph.ReLU}
	depthwise := graph.DepthwiseConv2D{Window: graph.Dense(2, graph.Same)}
	dense := graph.FullyConnected{Asymmetric: true}
	for _, c := range []struct {
		name       string
		op         graph.Op
		x, w       graph.DType
		perChannel bool
		delegated  bool    // XNNPACK takes it
		within     float64 // of the interpreter's result, as a share of the largest
	}{
		{"conv int16x8", conv, graph.Int16, graph.Int8, true, false, 0},
		{"depthwise int16x8", depthwise, graph.Int16, graph.Int8, true, false, 0},
		{"dense int16x8", dense, graph.Int16, graph.Int8, false, false, 0},
		{"dense int16x8 per channel", dense, graph.Int16, graph.Int8, true, false, 0},
		{"conv int4", conv, graph.Int8, graph.Int4, true, false, 0},
		{"conv int4 per tensor", conv, graph.Int8, graph.Int4, false, false, 0},
		{"depthwise int4", depthwise, graph.Int8, graph.Int4, true, false, 0},
		{"dense int4", dense, graph.Int8, graph.Int4, false, false, 0},
		{"dense int8 per channel", dense, graph.Int8, graph.Int8, true, true, 0},
		{"conv dynamic", conv, graph.Float32, graph.Int8, true, true, 0.02},
		{"conv dynamic per tensor", conv, graph.Float32, graph.Int8, false, true, 0.02},
		{"depthwise dynamic", depthwise, graph.Float32, graph.Int8, true, false, 1e-6},
		{"dense dynamic", dense, graph.Float32, graph.Int8, false, true, 0.02},
		{"dense dynamic per channel", dense, graph.Float32, graph.Int8, true, true, 0.02},
		{"conv float16", conv, graph.Float32, graph.Float16, false, true, 1e-5},
		{"depthwise float16", depthwise, graph.Float32, graph.Float16, false, true, 1e-5},
		{"dense float16", dense, graph.Float32, graph.Float16, false, true, 1e-5},
	} {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			model := layerModel(t, random, c.op, c.x, c.w, c.perChannel)
			for _, delegate := range []string{infer.NoDelegate, tflitec.XNNPACK} {
				rounding := quant.DoubleUp
				if delegate == tflitec.XNNPACK && c.delegated {
					rounding = quant.Float32
				}
				if c.op == graph.Op(depthwise) && c.w == graph.Int4 {
					rounding = quant.Double // it has no optimized kernel
				}
				s, err := tflitec.New().Open(model, infer.Options{Delegate: delegate})
				if err != nil {
					t.Fatalf("%q: %v", delegate, err)
				}
				defer s.Close()
				if taken := s.Placement().DelegatedNodes > 0; delegate == tflitec.XNNPACK && taken != c.delegated {
					t.Errorf("XNNPACK: %+v", s.Placement())
				}
				r, err := infer.NewReference(rounding).Open(model, infer.Options{})
				if err != nil {
					t.Fatal(err)
				}
				in := make([]byte, s.Input().Type.Bytes())
				for i := range in {
					in[i] = byte(random.IntN(256))
				}
				if c.x == graph.Float32 {
					for i := 0; i < len(in); i += 4 {
						binary.LittleEndian.PutUint32(in[i:], math.Float32bits(float32(random.NormFloat64())))
					}
				}
				got, want := run(t, s, in), run(t, r, in)
				if worst := infertest.Apart(s.Output().Type.DType, got, want, 0); worst > c.within {
					t.Errorf("%q: off by %v of the largest", delegate, worst)
				}
			}
		})
	}
}

func run(t *testing.T, s infer.Session, in []byte) []byte {
	t.Helper()
	out := make([]byte, s.Output().Type.Bytes())
	if err := errors.Join(s.Write(in), s.Invoke(), s.Read(out)); err != nil {
		t.Fatal(err)
	}
	return out
}

// layerModel is a file with one layer of random weights: x of the one type, weights of the other.
func layerModel(t *testing.T, random *rand.Rand, op graph.Op, x, w graph.DType, perChannel bool) []byte {
	t.Helper()
	g := graph.New("layer")
	g.Level = graph.Quantized
	_, most := w.Limits()
	l := graphtest.Layer{Op: op, Shape: []int{8, 3, 3, 6}, Type: w, Scale: []float32{0.02},
		Weight: func(int) int8 { return int8(random.IntN(int(2*most+1)) - int(most)) }}
	shape := []int{1, 7, 9, 6}
	switch op.(type) {
	case graph.DepthwiseConv2D:
		l.Shape = []int{1, 3, 3, 6}
	case graph.FullyConnected:
		shape, l.Shape = []int{1, 64}, []int{12, 64}
	}
	if perChannel {
		l.Scale = make([]float32, l.Channels())
		for i := range l.Scale {
			l.Scale[i] = 0.02 + 0.001*float32(i)
		}
	}
	in := graphtest.Floats(shape...)
	var out *quant.Params
	switch x {
	case graph.Int8:
		in, out = graphtest.Ints(x, 0.03, -4, shape...), quant.PerTensor(0.25, 3)
	case graph.Int16:
		in, out = graphtest.Ints(x, 0.0002, 0, shape...), quant.PerTensor(0.005, 0)
	}
	halves := func(name string, shape ...int) *graph.Value {
		data := make([]graph.Half, graphtest.Floats(shape...).Elements())
		for i := range data {
			data[i] = graph.NewHalf(float32(random.NormFloat64()))
		}
		return g.Apply(name+".float32", graph.Dequantize{}, graph.Const(name, graph.Type{DType: graph.Float16, Shape: shape}, data))
	}
	v := g.Input("x", in)
	var y *graph.Value
	if w == graph.Float16 {
		y = g.Apply("y", op, v, halves("w", l.Shape...), halves("b", l.Channels()))
	} else {
		y = l.Apply(g, "y", v)
	}
	y.Type.Quant = out
	g.Outputs = []*graph.Value{y}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
