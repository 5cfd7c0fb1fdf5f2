package convert

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/lint"
)

// tiny is a graph of an input (1, 4, 4, 2) at level Folded, the rest as f has it, and eight samples for it.
func tiny(f func(g *graph.Graph, x *graph.Value) *graph.Value) (*graph.Graph, [][]float32) {
	g := graph.New("tiny")
	g.Level = graph.Folded
	x := g.Input("x", float32Type(1, 4, 4, 2))
	g.Outputs = []*graph.Value{f(g, x)}
	samples := make([][]float32, 8)
	for i := range samples {
		for k := range x.Type.Elements() {
			samples[i] = append(samples[i], float32((i*37+k*11)%64)/16-2)
		}
	}
	return g, samples
}

// steps is a constant of a shape with elements 0, 1, 2, ... times a step.
func steps(name string, step float32, shape ...int) *graph.Value {
	return graphtest.Const(name, func(i int) float32 { return float32(i) * step }, shape...)
}

// What depends on constants alone is computed before anything else, so that no pass meets it: the networks convert, with every step of
// the recovery, and answer as the float ones do.
func TestConstantsFold(t *testing.T) {
	conv := func(g *graph.Graph, name string, x *graph.Value) *graph.Value {
		return g.Apply(name, graph.Conv2D{Window: graph.Dense(1, graph.Same)}, x, steps(name+".w", 0.25, 2, 1, 1, 2), steps(name+".b", 0.5, 2))
	}
	add := graph.Arithmetic{Fn: graph.Add}
	for name, f := range map[string]func(g *graph.Graph, x *graph.Value) *graph.Value{
		"tiled": func(g *graph.Graph, x *graph.Value) *graph.Value {
			return conv(g, "y", g.Apply("sum", add, x, g.Apply("tiled", graph.Tile{Times: []int{1, 4, 4, 1}}, steps("c", 1, 1, 1, 1, 2))))
		},
		"sum of two": func(g *graph.Graph, x *graph.Value) *graph.Value {
			return conv(g, "y", g.Apply("sum", add, x, g.Apply("both", add, steps("a", 0.1, 1, 1, 1, 2), steps("b", 0.2, 1, 1, 1, 2))))
		},
		"hard swish": func(g *graph.Graph, x *graph.Value) *graph.Value {
			return conv(g, "y", g.Apply("sum", add, x, g.Apply("swish", graph.Unary{Fn: graph.HardSwish}, steps("c", 0.5, 1, 1, 1, 2))))
		},
		"a layer of a constant": func(g *graph.Graph, x *graph.Value) *graph.Value {
			return conv(g, "y", g.Apply("sum", add, x, conv(g, "fixed", steps("c", 0.1, 1, 4, 4, 2))))
		},
	} {
		for _, s := range []Scheme{Float32, Float16, Dynamic, Int8, Int16x8} {
			g, samples := tiny(f)
			want := outputs(t, g, each(samples))
			g, _ = tiny(f)
			res, err := Run(context.Background(), g, Recipe{Scheme: s, FloatIO: s.Integer(), CorrectBias: On, RoundWeights: On}, each(samples), nil)
			if err != nil {
				t.Errorf("%s, %s: %v", name, s, err)
				continue
			}
			if db := snr(want, outputs(t, res.Graph, each(samples))); db < 30 {
				t.Errorf("%s, %s: %.1f dB of the float network", name, s, db)
			}
			for _, gone := range []string{"tile(", "hard_swish(", "fixed = conv2d", "both = add"} {
				if strings.Contains(res.Graph.String(), gone) {
					t.Errorf("%s, %s: %q is still computed in\n%s", name, s, gone, res.Graph)
				}
			}
		}
	}
}

// A graph that computes nothing of its input, or nothing at all, is converted or refused, and nothing worse.
func TestNothingToCompute(t *testing.T) {
	for name, f := range map[string]func(g *graph.Graph, x *graph.Value) *graph.Value{
		"no operator": func(_ *graph.Graph, x *graph.Value) *graph.Value { return x },
		"constant output": func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("y", graph.Unary{Fn: graph.HardSwish}, steps("c", 0.5, 1, 4))
		},
		"layer of constants": func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("y", graph.FullyConnected{}, steps("c", 0.5, 1, 4), steps("w", 0.1, 2, 4), steps("b", 0.1, 2))
		},
	} {
		for _, floatIO := range []bool{false, true} {
			g, samples := tiny(f)
			_, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.FloatIO = floatIO }), each(samples), nil)
			if err != nil && !errors.Is(err, ErrNetwork) {
				t.Errorf("%s, float input and output %v: error %v, want none or ErrNetwork", name, floatIO, err)
			}
		}
	}
}

// An activation that was 0 in all samples has a range after its neighbours', so that what it is added to keeps its steps, and the layer behind
// it its bias; XNNPACK takes every operator.
func TestDeadActivation(t *testing.T) {
	dead := func(g *graph.Graph, x *graph.Value) *graph.Value {
		w := graph.Const("w", float32Type(2, 1, 1, 2), make([]float32, 4))
		off := g.Apply("off", graph.Conv2D{Window: graph.Dense(1, graph.Same), Act: graph.ReLU}, x, w, graph.Const("b", float32Type(2), []float32{-1, -2}))
		return g.Apply("y", graph.Conv2D{Window: graph.Dense(1, graph.Same)}, off, steps("w2", 0.3, 2, 1, 1, 2), graph.Const("b2", float32Type(2), []float32{0.00125, 0.005}))
	}
	for _, s := range []Scheme{Int8, Int16x8} {
		g, samples := tiny(dead)
		want := outputs(t, g, each(samples))
		g, _ = tiny(dead)
		res, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.Scheme, r.FloatIO = s, true }), each(samples), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, y := range outputs(t, res.Graph, each(samples)) {
			for k := range y {
				if off := math.Abs(float64(y[k] - want[i][k])); off > 0.0002 {
					t.Fatalf("%s: %v, want %v\n%s", s, y[k], want[i][k], res.Graph)
				}
			}
		}
		for _, v := range lint.Check(res.Graph, nil) {
			if v.Target == lint.XNNPACK && s == Int8 && v.Taken != v.Total {
				t.Errorf("XNNPACK takes %d of %d: %+v", v.Taken, v.Total, v.Findings)
			}
		}
	}
}

// Constants beside values whose quantization is not their own to choose keep what they are: coordinates beside pixels, which a CoordConv
// begins with, and zeros in a sum.
func TestConstantBesideOthers(t *testing.T) {
	pixels := func() (*graph.Graph, [][]float32) {
		g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("y", graph.Concat{Axis: 3}, x, graph.Const("c", float32Type(1, 4, 4, 1), []float32{-1, -.5, .5, 1, -1, -.5, .5, 1, -1, -.5, .5, 1, -1, -.5, .5, 1}))
		})
		g.Meta.Mean, g.Meta.Std = []float32{0}, []float32{255}
		for _, s := range samples {
			for i, v := range s {
				s[i] = float32(math.Abs(float64(v))) / 4
			}
		}
		return g, samples
	}
	zeros := func() (*graph.Graph, [][]float32) {
		g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("y", graph.Arithmetic{Fn: graph.Add}, x, graph.Const("c", float32Type(1, 1, 1, 2), []float32{0, 0}))
		})
		for _, s := range samples {
			for i := range s {
				s[i] /= 1000
			}
		}
		return g, samples
	}
	for name, net := range map[string]func() (*graph.Graph, [][]float32){"coordinates": pixels, "zeros": zeros} {
		for s, least := range map[Scheme]float64{Int8: 40, Int16x8: 80} {
			g, samples := net()
			want := outputs(t, g, each(samples))
			g, _ = net()
			res, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.Scheme, r.FloatIO = s, true }), each(samples), nil)
			if err != nil {
				t.Fatal(err)
			}
			if db := snr(want, outputs(t, res.Graph, each(samples))); db < least {
				t.Errorf("%s, %s: %.1f dB\n%s", name, s, db, res.Graph)
			}
		}
	}
}

// Programs find an output by the name it had, whatever it is called once a DEQUANTIZE is behind it.
func TestOutputKeepsItsName(t *testing.T) {
	for _, float := range []bool{false, true} {
		g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("scores", graph.Mean{Axes: []int{1, 2}}, x)
		})
		res, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.FloatIO = float }), each(samples), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := tflite.Encode(res.Graph)
		if err != nil {
			t.Fatal(err)
		}
		again, err := tflite.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		name := again.Outputs[0].Name
		if s := again.Meta.Signature.Outputs; s != nil {
			name = s[0]
		}
		if name != "scores" {
			t.Errorf("float32 output %v: it is found as %q", float, name)
		}
	}
}

// ofAnotherTool is a mean and a dense layer, from a file that has ranges or none.
func ofAnotherTool(ranged bool) (*graph.Graph, [][]float32) {
	g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
		a := g.Apply("a", graph.Mean{Axes: []int{1, 2}}, x)
		return g.Apply("y", graph.FullyConnected{}, a, steps("w", 0.1, 3, 2), steps("b", 0.1, 3))
	})
	if ranged {
		g.Level = graph.Ranged
		for _, v := range g.Values() {
			if !v.Constant() {
				v.Range = &graph.Interval{Min: -100, Max: 100}
			}
		}
	}
	return g, samples
}

// Ranges that a network brings, such as those other tools put into files, are not used: the recipe's calibrator finds its own.
func TestRangesOfAnotherTool(t *testing.T) {
	texts := map[bool]string{}
	for _, ranged := range []bool{false, true} {
		g, samples := ofAnotherTool(ranged)
		res, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.CorrectBias = On }), each(samples), nil)
		if err != nil {
			t.Fatal(err)
		}
		texts[ranged] = res.Graph.String()
	}
	if texts[true] != texts[false] {
		t.Errorf("with ranges of another tool\n%s\nwithout\n%s", texts[true], texts[false])
	}
}

// Every sample is counted, however many there are and however small they are.
func TestEverySampleCounts(t *testing.T) {
	for turn := range 30 {
		h := newHistogram()
		h.observe(make([]float32, 1000), turn, 24)
		if n := h.total(); n < 40 || n > 64 {
			t.Errorf("sample %d: %d values counted", turn, n)
		}
	}
}

// What is computed of constants is bounded as a whole, before it is.
func TestConstantsBounded(t *testing.T) {
	g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
		least := func(name string, times int) *graph.Value {
			tile := g.Apply(name, graph.Tile{Times: []int{1, 1, times}}, steps(name+"/c", 0.5, 1, 1, 1))
			return g.Apply(name+"/least", graph.Reduce{Fn: graph.Smallest, Axes: []int{2}, KeepDims: true}, tile)
		}
		add := graph.Arithmetic{Fn: graph.Add}
		return g.Apply("y", add, g.Apply("some", add, x, least("few", 4)), least("many", graph.MaxElements))
	})
	if _, err := Run(context.Background(), g, Recipe{Scheme: Float32}, each(samples), nil); !errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), `"many"`) {
		t.Errorf("%v", err)
	}
}

// A network that ends in one number is none that has channels at its end.
func TestScalarResult(t *testing.T) {
	for _, c := range []Choice{ByActivations, ByWeights, ByBoth} {
		g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
			a := g.Apply("a", graph.Mean{Axes: []int{1, 2}}, x)
			return g.Apply("y", graph.Reshape{}, g.Apply("fc", graph.FullyConnected{}, a, steps("w", 0.1, 1, 2), steps("b", 0.1, 1)))
		})
		if _, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.Equalize = c }), each(samples), nil); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

// A hard swish beside values a thousand times its own keeps a scale that its kernel reaches.
func TestHardSwishBesideLargeValues(t *testing.T) {
	for _, scale := range []float32{1e-4, 1e-3, 0.1, 10} {
		g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
			small := g.Apply("small", graph.Arithmetic{Fn: graph.Mul}, x, graph.Const("c", graph.Type{DType: graph.Float32}, []float32{scale}))
			large := g.Apply("large", graph.Arithmetic{Fn: graph.Mul}, x, graph.Const("d", graph.Type{DType: graph.Float32}, []float32{1e5}))
			return g.Apply("y", graph.Concat{Axis: 3}, g.Apply("swish", graph.Unary{Fn: graph.HardSwish}, small), large)
		})
		if _, err := Run(context.Background(), g, plain, each(samples), nil); err != nil {
			t.Errorf("%v: %v", scale, err)
		}
	}
	// The swish's input has a scale of its own in spite of the range that it shares.
	g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
		large := g.Apply("large", graph.Arithmetic{Fn: graph.Mul}, x, graph.Const("d", graph.Type{DType: graph.Float32}, []float32{1e5}))
		share := g.Apply("share", graph.Unary{Fn: graph.Logistic}, x)
		return g.Apply("y", graph.Concat{Axis: 3}, share, g.Apply("swish", graph.Unary{Fn: graph.HardSwish}, share), large)
	})
	if _, err := Run(context.Background(), g, plain, each(samples), nil); err != nil {
		t.Errorf("of a logistic's result: %v", err)
	}
}
