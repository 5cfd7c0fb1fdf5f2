//go:build tflite && cgo

package tflitec_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/tflitec"
	"mnet-edge/quant"
)

// The operators without an integer form, in TFLite's kernels and in XNNPACK: the interpreter's results but for the last
// bits of an exponential.
func TestFloatOnly(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	floats := func(shape ...int) graph.Type { return graph.Type{DType: graph.Float32, Shape: shape} }
	numbers := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = float32(random.NormFloat64())
		}
		return s
	}
	for _, op := range []graph.Op{
		graph.Unary{Fn: graph.Tanh}, graph.Unary{Fn: graph.Exp}, graph.Unary{Fn: graph.Abs}, graph.Unary{Fn: graph.Neg},
		graph.Unary{Fn: graph.Square}, graph.Unary{Fn: graph.Elu}, graph.Unary{Fn: graph.Sqrt}, graph.Unary{Fn: graph.Rsqrt},
		graph.Unary{Fn: graph.Floor}, graph.Unary{Fn: graph.Ceil}, graph.Unary{Fn: graph.Round}, graph.Unary{Fn: graph.Clip1},
		graph.Unary{Fn: graph.Clip01}, graph.Unary{Fn: graph.Gelu}, graph.Unary{Fn: graph.GeluTanh},
		graph.Pair{Fn: graph.SquaredDifference},
		graph.LeakyReLU{Alpha: 0.3}, graph.PReLU{}, graph.Pair{Fn: graph.Maximum}, graph.Pair{Fn: graph.Minimum},
		graph.Arithmetic{Fn: graph.Div}, graph.Arithmetic{Fn: graph.Div, Act: graph.ReLU6},
	} {
		g := graph.New("floats")
		g.Level = graph.Folded
		x := g.Input("x", floats(1, 5, 3, 8))
		in := []*graph.Value{x}
		switch op.(type) {
		case graph.PReLU:
			in = append(in, graph.Const("alpha", floats(1, 1, 8), numbers(8)))
		case graph.Pair, graph.Arithmetic:
			in = append(in, graph.Const("b", floats(5, 3, 8), numbers(120)))
		}
		g.Outputs = []*graph.Value{g.Apply("y", op, in...)}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 480)
		for i, v := range numbers(120) {
			if op == graph.Op(graph.Unary{Fn: graph.Sqrt}) || op == graph.Op(graph.Unary{Fn: graph.Rsqrt}) {
				v = float32(math.Abs(float64(v))) + 0.01
			}
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
		}
		r, err := infer.NewReference(quant.Double).Open(b, infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, delegate := range []string{tflitec.None, tflitec.XNNPACK} {
			s, err := tflitec.New().Open(b, infer.Options{Delegate: delegate})
			if err != nil {
				t.Fatalf("%s, %q: %v", op.Name(), delegate, err)
			}
			if worst := furthest(graph.Float32, run(t, s, data), run(t, r, data)); worst > 1e-6 {
				t.Errorf("%s, %q: off by %v of the largest", op.Name(), delegate, worst)
			}
			s.Close()
		}
	}
}
