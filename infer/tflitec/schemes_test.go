//go:build tflite && cgo

package tflitec_test

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"mnet-edge/graph"
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
	shape, filter, axis := []int{1, 7, 9, 6}, []int{8, 3, 3, 6}, 0
	switch op.(type) {
	case graph.DepthwiseConv2D:
		filter, axis = []int{1, 3, 3, 6}, 3
	case graph.FullyConnected:
		shape, filter = []int{1, 64}, []int{12, 64}
	}
	in := graph.Type{DType: x, Shape: shape}
	switch x {
	case graph.Int8:
		in.Quant = quant.PerTensor(0.03, -4)
	case graph.Int16:
		in.Quant = quant.PerTensor(0.0002, 0)
	}
	wq := quant.PerTensor(0.02, 0)
	if perChannel {
		wq = quant.PerChannel(make([]float32, filter[axis]), axis)
		for i := range wq.Scale {
			wq.Scale[i] = 0.02 + 0.001*float32(i)
		}
	}
	weight, bias := constants(random, graph.Type{DType: w, Shape: filter}, in, wq, filter[axis])
	v := g.Input("x", in)
	if w == graph.Float16 {
		weight, bias = g.Apply("w.float32", graph.Dequantize{}, weight), g.Apply("b.float32", graph.Dequantize{}, bias)
	}
	y := g.Apply("y", op, v, weight, bias)
	switch x {
	case graph.Int8:
		y.Type.Quant = quant.PerTensor(0.25, 3)
	case graph.Int16:
		y.Type.Quant = quant.PerTensor(0.005, 0)
	}
	g.Outputs = []*graph.Value{y}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// constants are a layer's weight and bias.
func constants(random *rand.Rand, t, x graph.Type, q *quant.Params, channels int) (weight, bias *graph.Value) {
	flat := graph.Type{Shape: []int{channels}}
	if t.DType == graph.Float16 {
		halves := func(n int) []graph.Half {
			s := make([]graph.Half, n)
			for i := range s {
				s[i] = graph.NewHalf(float32(random.NormFloat64()))
			}
			return s
		}
		flat.DType = graph.Float16
		return graph.Const("w", t, halves(t.Elements())), graph.Const("b", flat, halves(channels))
	}
	t.Quant = q
	_, most := t.DType.Limits()
	w := make([]int8, t.Elements())
	for i := range w {
		w[i] = int8(random.IntN(int(2*most+1)) - int(most))
	}
	if x.DType == graph.Float32 {
		flat.DType = graph.Float32
		return graph.Const("w", t, w), graph.Const("b", flat, make([]float32, channels))
	}
	flat.DType = graph.BiasType(x.DType)
	flat.Quant = graph.BiasQuant(x.Quant, q)
	if x.DType == graph.Int16 {
		return graph.Const("w", t, w), graph.Const("b", flat, make([]int64, channels))
	}
	return graph.Const("w", t, w), graph.Const("b", flat, make([]int32, channels))
}
