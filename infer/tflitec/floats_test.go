//go:build tflite && cgo

package tflitec_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/tflitec"
	"mnet-edge/quant"
)

// The operators without an integer form, in TFLite's kernels and in XNNPACK: the interpreter's results but for the last
// bits of an exponential.
func TestFloatOnly(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	normal := func(int) float32 { return float32(random.NormFloat64()) }
	positive := []string{"sqrt", "rsqrt", "log", "pow"}
	for _, op := range []graph.Op{
		graph.Unary{Fn: graph.Tanh}, graph.Unary{Fn: graph.Exp}, graph.Unary{Fn: graph.Abs}, graph.Unary{Fn: graph.Neg},
		graph.Unary{Fn: graph.Square}, graph.Unary{Fn: graph.Elu}, graph.Unary{Fn: graph.Sqrt}, graph.Unary{Fn: graph.Rsqrt},
		graph.Unary{Fn: graph.Floor}, graph.Unary{Fn: graph.Ceil}, graph.Unary{Fn: graph.Round}, graph.Unary{Fn: graph.Clip1},
		graph.Unary{Fn: graph.Clip01}, graph.Unary{Fn: graph.Gelu}, graph.Unary{Fn: graph.GeluTanh},
		graph.Pair{Fn: graph.SquaredDifference}, graph.Pair{Fn: graph.Pow},
		graph.Unary{Fn: graph.Log}, graph.Unary{Fn: graph.Sin}, graph.Unary{Fn: graph.Cos}, graph.L2Norm{},
		graph.Reduce{Axes: []int{1, 2}}, graph.Reduce{Axes: []int{3}, KeepDims: true},
		graph.Reduce{Fn: graph.Largest, Axes: []int{1, 2}}, graph.Reduce{Fn: graph.Smallest, Axes: []int{3}},
		graph.BatchMatMul{}, graph.BatchMatMul{AdjY: true}, graph.BatchMatMul{AdjX: true},
		graph.TransposeConv2D{Window: graph.Dense(2, graph.Same), Size: [2]int{10, 5}},
		graph.TransposeConv2D{Window: graph.Dense(3, graph.Valid), Size: [2]int{15, 9}},
		graph.LeakyReLU{Alpha: 0.3}, graph.PReLU{}, graph.Pair{Fn: graph.Maximum}, graph.Pair{Fn: graph.Minimum},
		graph.Arithmetic{Fn: graph.Div}, graph.Arithmetic{Fn: graph.Div, Act: graph.ReLU6},
	} {
		g := graph.New("floats")
		g.Level = graph.Folded
		x := g.Input("x", graphtest.Floats(1, 5, 3, 8))
		in := []*graph.Value{x}
		switch op.(type) {
		case graph.PReLU:
			in = append(in, graphtest.Const("alpha", normal, 1, 1, 8))
		case graph.Pair, graph.Arithmetic:
			in = append(in, graphtest.Const("b", normal, 5, 3, 8))
		case graph.BatchMatMul:
			shape := map[graph.Op][]int{graph.BatchMatMul{}: {8, 6}, graph.BatchMatMul{AdjY: true}: {5, 6, 8}, graph.BatchMatMul{AdjX: true}: {5, 3, 6}}[op]
			in = append(in, graphtest.Const("b", normal, shape...))
		case graph.TransposeConv2D:
			in = append(in, graphtest.Const("w", normal, 4, 3, 3, 8), graphtest.Const("b", normal, 4))
		}
		g.Outputs = []*graph.Value{g.Apply("y", op, in...)}
		data := make([]byte, 480)
		for i := range 120 {
			v := normal(i)
			if slices.Contains(positive, op.Name()) {
				v = float32(math.Abs(float64(v))) + 0.01
			}
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
		}
		besideReference(t, op.Name(), g, data, func(delegate string, got, want []byte) {
			if worst := infertest.Apart(graph.Float32, got, want, 0); worst > 1e-6 {
				t.Errorf("%s, %q: off by %v of the largest", op.Name(), delegate, worst)
			}
		})
	}
}

// besideReference runs a graph in the library, with its own kernels and with XNNPACK's, and gives what each makes of data to check, with what the
// reference interpreter does.
func besideReference(t *testing.T, name string, g *graph.Graph, data []byte, check func(delegate string, got, want []byte)) {
	t.Helper()
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	r, err := infer.NewReference(quant.Double).Open(b, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(run(t, r, data))
	for _, delegate := range []string{infer.NoDelegate, tflitec.XNNPACK} {
		s, err := tflitec.New().Open(b, infer.Options{Delegate: delegate})
		if err != nil {
			t.Fatalf("%s, %q: %v", name, delegate, err)
		}
		check(delegate, run(t, s, data), want)
		s.Close()
	}
}

// The operators that move elements of int8, of which LiteRT's reference kernels leave out two: the interpreter's bits.
func TestMoves(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	x := graphtest.Ints(graph.Int8, 0.05, -3, 1, 6, 4, 8)
	for _, op := range []graph.Op{
		graph.DepthToSpace{Block: 2}, graph.Tile{Times: []int{2, 1, 3, 2}}, graph.SpaceToDepth{Block: 2},
		graph.Slice{Begin: []int{0, 1, 0, 2}, Size: []int{1, 4, 3, 5}, Step: []int{1, 1, 1, 1}},
		graph.Slice{Begin: []int{0, 5, 0, 1}, Size: []int{1, 3, 2, 2}, Step: []int{1, -2, 2, 3}},
		graph.MirrorPad{Before: []int{0, 1, 2, 0}, After: []int{0, 3, 0, 0}},
		graph.Reduce{Fn: graph.Largest, Axes: []int{1, 2}},
	} {
		g := graph.New("moves")
		g.Level = graph.Quantized
		y := g.Apply("y", op, g.Input("x", x))
		y.Type.Quant = x.Quant
		g.Outputs = []*graph.Value{y}
		data := make([]byte, x.Elements())
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		besideReference(t, op.Name(), g, data, func(delegate string, got, want []byte) {
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %q: %d, want %d", op.Name(), delegate, got, want)
			}
		})
	}
}
