package convert

import (
	"context"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/graph/tflite"
)

// fileNet is a float .tflite of TensorFlow's converter: hard swish, squeeze and excite, residual, pools, concatenation,
// transposition, softmax.
func fileNet(t *testing.T) *graph.Graph { return fileOf(t, "tf_any") }

func fileOf(t *testing.T, name string) *graph.Graph {
	t.Helper()
	b, err := os.ReadFile("../graph/tflite/testdata/" + name + ".tflite")
	if err != nil {
		t.Fatal(err)
	}
	g, err := tflite.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func randomInputs(size, n int) iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		rng := rand.New(rand.NewPCG(5, 6))
		for range n {
			x := make([]float32, size)
			for i := range x {
				x[i] = rng.Float32()
			}
			if !yield(x) {
				return
			}
		}
	}
}

// Another tool's float file becomes int8 and stays near what it was.
func TestFloatFile(t *testing.T) {
	samples := randomInputs(8*8*3, 32)
	want := outputs(t, fileNet(t), samples)
	for _, recipe := range []Recipe{{}, {FloatIO: true}} {
		res, err := Run(context.Background(), fileNet(t), recipe, samples, nil)
		if err != nil {
			t.Fatal(err)
		}
		if db := snr(want, outputs(t, res.Graph, samples)); db < 30 {
			t.Errorf("%+v: int8 network at %.1f dB of the float one", recipe, db)
		}
		if _, err := tflite.Encode(res.Graph); err != nil {
			t.Error(err)
		}
	}
	if len(want) != 32 || slices.Max(want[0])-slices.Min(want[0]) < 0.1 {
		t.Errorf("the float network says %v", want)
	}
}

// Activations that stand alone in a file are fused where their operator feeds nothing else and can take one.
func TestFuseInFile(t *testing.T) {
	g := graph.New("relus")
	g.Level = graph.Folded
	relu := graph.Activate{Act: graph.ReLU6}
	x := g.Input("x", float32Type(1, 4, 4, 2))
	x = g.Apply("sum", graph.Arithmetic{}, x, x)
	x = g.Apply("fused", relu, x)
	x = g.Apply("pool", graph.Pool{Fn: graph.Max, Window: graph.Dense(1, graph.Same), Size: [2]int{2, 2}}, x)
	x = g.Apply("after the pool", relu, x)
	x = g.Apply("twice", graph.Unary{Fn: graph.HardSwish}, x)
	y := g.Apply("after a swish", relu, x)
	g.Outputs = []*graph.Value{g.Apply("out", graph.Arithmetic{Fn: graph.Mul}, x, y)}
	if err := fuseActivation(&conversion{g: g}); err != nil {
		t.Fatal(err)
	}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	const want = `graph "relus" folded
x = input : float32[1,4,4,2]
sum = add(x, x) act=relu6 : float32[1,4,4,2]
pool = max_pool(sum) size=2 stride=1 pad=same : float32[1,4,4,2]
"after the pool" = activate(pool) act=relu6 : float32[1,4,4,2]
twice = hard_swish("after the pool") : float32[1,4,4,2]
"after a swish" = activate(twice) act=relu6 : float32[1,4,4,2]
out = mul(twice, "after a swish") : float32[1,4,4,2] -> output
`
	if got := g.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The quantizations of a graph whose operators tie some together and pin others: pools and concatenations share one
// range, probabilities and pixels keep theirs behind a rescaling, constants get one, and no scale is too small for the
// runtimes beside another.
func TestQuantizationsTogether(t *testing.T) {
	g := graph.New("tied")
	g.Level = graph.Ranged
	g.Meta.Mean, g.Meta.Std = []float32{0}, []float32{255}
	ranged := func(v *graph.Value, lo, hi float32) *graph.Value {
		v.Range = &graph.Interval{Min: lo, Max: hi}
		return v
	}
	scalar := func(name string, x float32) *graph.Value { return graph.Const(name, float32Type(), []float32{x}) }
	max2 := graph.Pool{Fn: graph.Max, Window: graph.Dense(1, graph.Same), Size: [2]int{2, 2}}
	softmax, concat := graph.Softmax{Beta: 1}, graph.Concat{Axis: 3}

	x := ranged(g.Input("pixels", float32Type(1, 2, 2, 1)), 0, 1)
	shrunk := ranged(g.Apply("pooled pixels", max2, x), 0, 1)
	shifted := ranged(g.Apply("shifted", graph.Arithmetic{Fn: graph.Sub}, x, scalar("half", 0.5)), -0.5, 0.5)
	scaled := ranged(g.Apply("scaled", graph.Arithmetic{Fn: graph.Mul}, scalar("minus four", -4), x), -4, 0)
	pooled := ranged(g.Apply("pooled", max2, scaled), -2, 0)
	both := ranged(g.Apply("both", concat, shifted, pooled, graph.Const("ones", float32Type(1, 2, 2, 1), []float32{1, 1, 1, 1})), -2, 1)
	gate := ranged(g.Apply("gate", graph.Unary{Fn: graph.Logistic}, both), 0.2, 0.7)
	mixed := ranged(g.Apply("mixed", concat, gate, shrunk, gate), 0, 1)
	p := ranged(g.Apply("p", softmax, both), 0.1, 0.8)
	turned := ranged(g.Apply("turned", graph.Transpose{Perm: []int{0, 3, 1, 2}}, p), 0.1, 0.8)
	twice := ranged(g.Apply("twice", concat, turned, turned), 0.1, 0.8)
	dead := ranged(g.Apply("dead", graph.Unary{Fn: graph.HardSwish}, scaled), -1e-5, 0)
	gone := ranged(g.Apply("gone", graph.Arithmetic{Fn: graph.Sub}, scaled, scaled), 0, 1e-9)
	g.Outputs = []*graph.Value{mixed, twice, dead, gone}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	c := &conversion{g: g}
	if err := shareRange(c); err != nil {
		t.Fatal(err)
	}
	if err := quantize(c); err != nil {
		t.Fatal(err)
	}
	g.Level = graph.Quantized
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	if _, err := interp.New(g, interp.Options{}); err != nil {
		t.Error(err)
	}
	const want = `
pixels = input : int8[1,2,2,1] {0.003921569:-128}
"pooled pixels" = max_pool(pixels) size=2 stride=1 pad=same : int8[1,2,2,1] {0.003921569:-128}
half = const 12b88320 : int8[] {0.0019607844:-128}
shifted = sub(pixels, half) : int8[1,2,2,1] {0.019607844:76}
"minus four" = const 3fba6cad : int8[] {0.015686275:127}
scaled = mul("minus four", pixels) : int8[1,2,2,1] {0.019607844:76}
pooled = max_pool(scaled) size=2 stride=1 pad=same : int8[1,2,2,1] {0.019607844:76}
ones = const 25a8492f : int8[1,2,2,1] {0.019607844:76}
both = concat(shifted, pooled, ones) axis=3 : int8[1,2,2,3] {0.019607844:76}
gate = logistic(both) : int8[1,2,2,3] {0.00390625:-128}
gate.rescaled = quantize(gate) : int8[1,2,2,3] {0.003921569:-128}
mixed = concat(gate.rescaled, "pooled pixels", gate.rescaled) axis=3 : int8[1,2,2,7] {0.003921569:-128} -> output 0
p = softmax(both) : int8[1,2,2,3] {0.00390625:-128}
turned = transpose(p) perm=[0 3 1 2] : int8[1,3,2,2] {0.00390625:-128}
twice = concat(turned, turned) axis=3 : int8[1,3,2,4] {0.00390625:-128} -> output 1
dead = hard_swish(scaled) : int8[1,2,2,1] {0.00030641176:-128} -> output 2
gone = sub(scaled, scaled) : int8[1,2,2,1] {1.4959598e-07:-128} -> output 3
normalization mean=[0] std=[255]
`
	got := g.String()
	if got = got[strings.Index(got, "\n"):]; got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
}

// The largest of some elements is one of them, and has their range; a sum has its own, which theirs is not widened to.
func TestRangesOfReductions(t *testing.T) {
	for fn, shared := range map[graph.ReduceFunc]bool{graph.Largest: true, graph.Smallest: true, graph.Sum: false} {
		g := graph.New("reduced")
		g.Level = graph.Ranged
		x := g.Input("x", float32Type(1, 4))
		x.Range = &graph.Interval{Min: -1, Max: 1}
		y := g.Apply("y", graph.Reduce{Fn: fn, Axes: []int{1}}, x)
		y.Range = &graph.Interval{Min: 0, Max: 3}
		g.Outputs = []*graph.Value{y}
		if err := shareRange(&conversion{g: g}); err != nil {
			t.Fatal(err)
		}
		if got := *x.Range == *y.Range; got != shared {
			t.Errorf("%s: one range %v, want %v", y.Def.Op.Name(), got, shared)
		}
	}
}
