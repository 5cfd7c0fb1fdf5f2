package interp

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// applied is a graph of one operator; inputs that have data are constants.
func applied(level graph.Level, op graph.Op, q *quant.Params, in ...*graph.Value) *graph.Graph {
	g := graph.New("op")
	g.Level = level
	for _, v := range in {
		if !v.Constant() {
			g.Inputs = append(g.Inputs, v)
		}
	}
	y := g.Apply("y", op, in...)
	y.Type.Quant = q
	g.Outputs = []*graph.Value{y}
	return g
}

func TestFloatMore(t *testing.T) {
	x := func(shape ...int) *graph.Value { return &graph.Value{Name: "x", Type: floatType(shape...)} }
	c := func(data []float32, shape ...int) *graph.Value { return graph.Const("c", floatType(shape...), data) }
	add, sub, mul := graph.Arithmetic{Fn: graph.Add}, graph.Arithmetic{Fn: graph.Sub}, graph.Arithmetic{Fn: graph.Mul}
	pool := func(fn graph.PoolFunc, p graph.Padding) graph.Op {
		return graph.Pool{Fn: fn, Window: graph.Dense(2, p), Size: [2]int{1, 3}}
	}
	resize := func(fn graph.ResizeFunc, w int, corners, half bool) graph.Op {
		return graph.Resize{Fn: fn, Size: [2]int{1, w}, AlignCorners: corners, HalfPixel: half}
	}
	third := float32(1) / 3
	for _, c := range []struct {
		name     string
		op       graph.Op
		operands []*graph.Value
		in, want []float32
	}{
		{"add", add, []*graph.Value{x(2), c([]float32{10, 20}, 2)}, []float32{1, 2}, []float32{11, 22}},
		{"sub a scalar", sub, []*graph.Value{x(2), c([]float32{10})}, []float32{1, 2}, []float32{-9, -8}},
		{"sub from a scalar", sub, []*graph.Value{c([]float32{10}), x(2)}, []float32{1, 2}, []float32{9, 8}},
		{"mul channels", mul, []*graph.Value{x(2, 2), c([]float32{10, 100}, 2)}, []float32{1, 2, 3, 4}, []float32{10, 200, 30, 400}},
		{"mul rows", mul, []*graph.Value{x(2, 2), c([]float32{10, 100}, 2, 1)}, []float32{1, 2, 3, 4}, []float32{10, 20, 300, 400}},
		{"outer sum", add, []*graph.Value{x(2, 1), c([]float32{10, 20}, 2)}, []float32{1, 2}, []float32{11, 21, 12, 22}},
		{"add relu6", graph.Arithmetic{Act: graph.ReLU6}, []*graph.Value{x(3), c([]float32{1})}, []float32{-2, 3, 9}, []float32{0, 4, 6}},
		{"hard swish", graph.Unary{Fn: graph.HardSwish}, []*graph.Value{x(5)}, []float32{-4, -3, 0, 1, 8}, []float32{0, 0, 0, 4. / 6, 8}},
		{"logistic", graph.Unary{Fn: graph.Logistic}, []*graph.Value{x(3)}, []float32{0, 1000, -1000}, []float32{0.5, 1, 0}},
		{"softmax", graph.Softmax{Beta: 1}, []*graph.Value{x(2, 2)}, []float32{7, 7, 1000, -1000}, []float32{0.5, 0.5, 1, 0}},
		{"softmax beta", graph.Softmax{Beta: 0.5}, []*graph.Value{x(3)}, []float32{3, 3, 3}, []float32{third, third, third}},
		{"average", pool(graph.Average, graph.Same), []*graph.Value{x(1, 1, 5, 1)}, []float32{1, 2, 3, 4, 5}, []float32{1.5, 3, 4.5}},
		{"max", pool(graph.Max, graph.Valid), []*graph.Value{x(1, 1, 5, 1)}, []float32{9, 2, 3, -4, -5}, []float32{9, 3}},
		{"concat rows", graph.Concat{}, []*graph.Value{x(1, 2), c([]float32{10, 20, 30, 40}, 2, 2)}, []float32{1, 2}, []float32{1, 2, 10, 20, 30, 40}},
		{"concat columns", graph.Concat{Axis: 1}, []*graph.Value{x(2, 1), c([]float32{10, 20, 30, 40}, 2, 2)}, []float32{1, 2}, []float32{1, 10, 20, 2, 30, 40}},
		{"transpose", graph.Transpose{Perm: []int{1, 0}}, []*graph.Value{x(2, 3)}, []float32{1, 2, 3, 4, 5, 6}, []float32{1, 4, 2, 5, 3, 6}},
		{"transpose three", graph.Transpose{Perm: []int{2, 0, 1}}, []*graph.Value{x(2, 1, 3)}, []float32{1, 2, 3, 4, 5, 6}, []float32{1, 4, 2, 5, 3, 6}},
		{"bilinear", resize(graph.Bilinear, 4, false, false), []*graph.Value{x(1, 1, 2, 1)}, []float32{1, 3}, []float32{1, 2, 3, 3}},
		{"bilinear corners", resize(graph.Bilinear, 3, true, false), []*graph.Value{x(1, 1, 2, 1)}, []float32{1, 3}, []float32{1, 2, 3}},
		{"bilinear half pixel", resize(graph.Bilinear, 4, false, true), []*graph.Value{x(1, 1, 2, 1)}, []float32{1, 3}, []float32{1, 1.5, 2.5, 3}},
		{"nearest", resize(graph.Nearest, 5, false, false), []*graph.Value{x(1, 1, 2, 2)}, []float32{1, 2, 3, 4}, []float32{1, 2, 1, 2, 1, 2, 3, 4, 3, 4}},
		{"nearest corners", resize(graph.Nearest, 3, true, false), []*graph.Value{x(1, 1, 2, 1)}, []float32{1, 3}, []float32{1, 3, 3}},
		{"slice backward", graph.Slice{Begin: []int{1, 2}, Size: []int{2, 2}, Step: []int{-1, -2}}, []*graph.Value{x(2, 3)}, []float32{1, 2, 3, 4, 5, 6}, []float32{6, 4, 3, 1}},
		{"space to depth", graph.SpaceToDepth{Block: 2}, []*graph.Value{x(1, 2, 4, 1)}, []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 2, 5, 6, 3, 4, 7, 8}},
		{"depth to space", graph.DepthToSpace{Block: 2}, []*graph.Value{x(1, 1, 2, 4)}, []float32{1, 2, 5, 6, 3, 4, 7, 8}, []float32{1, 2, 3, 4, 5, 6, 7, 8}},
		{"mirror", graph.MirrorPad{Before: []int{2}, After: []int{1}}, []*graph.Value{x(3)}, []float32{1, 2, 3}, []float32{3, 2, 1, 2, 3, 2}},
		{"mirror symmetric", graph.MirrorPad{Before: []int{2}, After: []int{3}, Symmetric: true}, []*graph.Value{x(3)}, []float32{1, 2, 3}, []float32{2, 1, 1, 2, 3, 3, 2, 1}},
		{"tile", graph.Tile{Times: []int{2, 2}}, []*graph.Value{x(1, 2)}, []float32{1, 2}, []float32{1, 2, 1, 2, 1, 2, 1, 2}},
		{"sum", graph.Reduce{Axes: []int{0}}, []*graph.Value{x(2, 2)}, []float32{1, 2, 3, 4}, []float32{4, 6}},
		{"largest", graph.Reduce{Fn: graph.Largest, Axes: []int{0, 1}}, []*graph.Value{x(2, 2)}, []float32{-1, -2, -3, -4}, []float32{-1}},
		{"smallest", graph.Reduce{Fn: graph.Smallest, Axes: []int{1}, KeepDims: true}, []*graph.Value{x(2, 2)}, []float32{1, 2, 4, 3}, []float32{1, 3}},
		{"pow", graph.Pair{Fn: graph.Pow}, []*graph.Value{x(6), c([]float32{3, 0.5, -1, 3, 2, 0}, 6)}, []float32{2, 9, 4, -2, -3, 7}, []float32{8, 3, 0.25, -8, 9, 1}},
		{"length 1", graph.L2Norm{}, []*graph.Value{x(2, 2)}, []float32{3, 4, 0, 0}, []float32{0.6, 0.8, 0, 0}},
		{"matrices", graph.BatchMatMul{}, []*graph.Value{x(2, 1, 2), c([]float32{1, 2, 3, 10, 20, 30}, 2, 3)}, []float32{1, 1, 2, 0}, []float32{11, 22, 33, 2, 4, 6}},
		{"matrices adj", graph.BatchMatMul{AdjX: true, AdjY: true}, []*graph.Value{x(3, 2), c([]float32{1, 10, 100, 1, 1, 1, 0, 0, 2, 3, 0, 0}, 4, 3)},
			[]float32{1, 4, 2, 5, 3, 6}, []float32{321, 6, 6, 3, 654, 15, 12, 12}},
		{"transposed conv", graph.TransposeConv2D{Window: graph.Dense(2, graph.Valid), Size: [2]int{1, 5}}, []*graph.Value{x(1, 1, 2, 1), c([]float32{1, 10, 100}, 1, 1, 3, 1), c([]float32{0.5}, 1)},
			[]float32{1, 2}, []float32{1.5, 10.5, 102.5, 20.5, 200.5}},
		{"transposed conv same", graph.TransposeConv2D{Window: graph.Dense(2, graph.Same), Size: [2]int{1, 4}}, []*graph.Value{x(1, 1, 2, 2), c([]float32{1, 2, 10, 20, 100, 200}, 1, 1, 3, 2)},
			[]float32{1, 0, 0, 1}, []float32{1, 10, 102, 20}},
		{"nearest down", resize(graph.Nearest, 2, false, true), []*graph.Value{x(1, 1, 4, 1)}, []float32{1, 2, 3, 4}, []float32{2, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := applied(graph.Folded, c.op, nil, c.operands...)
			if got := eval(t, g, quant.Double, c.in); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v gives %v, want %v", c.in, got, c.want)
			}
		})
	}
}

// Results where the runtimes' arithmetic differs, or an edge is met; testdata/vectors has thousands more.
func TestIntegerMore(t *testing.T) {
	x := func(scale float32, zero int32, shape ...int) *graph.Value {
		return &graph.Value{Name: "x", Type: int8Type(scale, zero, shape...)}
	}
	probability := quant.PerTensor(1./256, -128)
	one := func(q int8) *graph.Value { return graph.Const("c", int8Type(1, 0), []int8{q}) }
	for _, c := range []struct {
		name        string
		op          graph.Op
		q           *quant.Params
		operands    []*graph.Value
		in          []int8
		tflite, xnn []int8
	}{
		{"add, ties", graph.Arithmetic{}, quant.PerTensor(2, 0), []*graph.Value{x(1, 0, 4), one(0)}, []int8{1, 3, -1, -3}, []int8{1, 2, -1, -2}, []int8{1, 2, 0, -1}},
		{"sub saturates", graph.Arithmetic{Fn: graph.Sub}, quant.PerTensor(1, 0), []*graph.Value{x(1, 0, 2), one(-100)}, []int8{100, -100}, []int8{127, 0}, []int8{127, 0}},
		{"mul, ties", graph.Arithmetic{Fn: graph.Mul}, quant.PerTensor(2, 0), []*graph.Value{x(1, 0, 4), one(1)}, []int8{1, 3, -1, -3}, []int8{1, 2, 0, -1}, []int8{0, 2, 0, -2}},
		{"average, ties", graph.Pool{Window: graph.Dense(1, graph.Valid), Size: [2]int{1, 2}}, quant.PerTensor(1, 5), []*graph.Value{x(1, 5, 1, 1, 4, 1)},
			[]int8{1, 2, -3, -4}, []int8{2, -1, -4}, []int8{2, -1, -4}},
		{"logistic", graph.Unary{Fn: graph.Logistic}, probability, []*graph.Value{x(1, 0, 4)}, []int8{-128, 0, 1, 127}, []int8{-128, 0, 59, 127}, []int8{-128, 0, 59, 127}},
		{"softmax of equals", graph.Softmax{Beta: 1}, probability, []*graph.Value{x(1, 9, 2)}, []int8{7, 7}, []int8{0, 0}, []int8{0, 0}},
		{"softmax of one", graph.Softmax{Beta: 1}, probability, []*graph.Value{x(1, 9, 1)}, []int8{7}, []int8{127}, []int8{127}},
		{"hard swish", graph.Unary{Fn: graph.HardSwish}, quant.PerTensor(0.05, 0), []*graph.Value{x(0.1, 0, 4)}, []int8{-40, -15, 10, 60}, []int8{0, -8, 13, 120}, []int8{0, -8, 13, 120}},
		{"bilinear, a negative tie", graph.Resize{Size: [2]int{1, 4}}, quant.PerTensor(1, 0), []*graph.Value{x(1, 0, 1, 1, 2, 1)}, []int8{-1, -2}, []int8{-1, -2, -2, -2}, []int8{-1, -1, -2, -2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := applied(graph.Quantized, c.op, c.q, c.operands...)
			if got := eval(t, g, quant.Double, c.in); !reflect.DeepEqual(got, c.tflite) {
				t.Errorf("%v gives %v, want %v", c.in, got, c.tflite)
			}
			if got := eval(t, g, quant.Float32, c.in); !reflect.DeepEqual(got, c.xnn) {
				t.Errorf("%v gives %v in XNNPACK's arithmetic, want %v", c.in, got, c.xnn)
			}
		})
	}
}

// Every int8 operator stays within a step or two of what its float32 form gives for the same real numbers.
func TestIntegerNearFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(lo, hi int, what string) int { return rapid.IntRange(lo, hi).Draw(t, what) }
		scale := func(what string) float32 {
			return float32(math.Exp(rapid.Float64Range(math.Log(0.01), math.Log(0.5)).Draw(t, what)))
		}
		act := graph.Activation(draw(0, int(graph.ReLU6), "act"))
		shape := []int{draw(1, 2, "n"), draw(1, 5, "h"), draw(1, 5, "w"), draw(1, 5, "c")}
		in := []graph.Type{int8Type(scale("x"), zeroPoint(t, "zero x"), shape...)}
		out, steps := quant.PerTensor(scale("out"), zeroPoint(t, "zero out")), 1.0
		var op graph.Op
		switch draw(0, 5, "op") {
		case 0, 1:
			fn := graph.BinaryFunc(draw(int(graph.Add), int(graph.Mul), "fn"))
			op = graph.Arithmetic{Fn: fn, Act: act}
			in = append(in, int8Type(scale("b"), zeroPoint(t, "zero b"), shape[draw(0, 3, "rank"):]...))
		case 2:
			op = graph.Unary{Fn: graph.Logistic}
			out = graph.FixedQuant(op, graph.Int8)
		case 3:
			op, steps = graph.Unary{Fn: graph.HardSwish}, 2
		case 4:
			op, steps = graph.Softmax{Beta: 1}, 2
			out = graph.FixedQuant(op, graph.Int8)
		case 5:
			op, out = graph.Pool{Window: graph.Dense(draw(1, 3, "stride"), graph.Same), Size: [2]int{draw(1, 3, "kh"), draw(1, 3, "kw")}, Act: act}, in[0].Quant
			if draw(0, 1, "resize") == 1 {
				op = graph.Resize{Size: [2]int{draw(1, 9, "oh"), draw(1, 9, "ow")}, HalfPixel: draw(0, 1, "half") == 1}
				// Weights in steps of 1/1024 are off by 2^-11 of the largest difference, twice.
				steps = 1.5
			}
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 0))
		var ints, reals []any
		var intIn, realIn []*graph.Value
		for _, typ := range in {
			q := randomInts(r, typ.Elements(), -128)
			real := make([]float32, len(q))
			for i := range q {
				real[i] = quant.Dequantize(int32(q[i]), typ.Quant.Scale[0], typ.Quant.Zero[0])
			}
			ints, reals = append(ints, q), append(reals, real)
			intIn = append(intIn, &graph.Value{Name: "x", Type: typ})
			realIn = append(realIn, &graph.Value{Name: "x", Type: floatType(typ.Shape...)})
		}
		want := mustRun(t, applied(graph.Folded, op, nil, realIn...), quant.Double, reals).([]float32)
		rounding := quant.Rounding(draw(0, int(quant.Float32), "rounding"))
		got := mustRun(t, applied(graph.Quantized, op, out, intIn...), rounding, ints).([]int8)
		for i := range want {
			exact := min(max(float64(want[i])/float64(out.Scale[0])+float64(out.Zero[0]), quant.Int8Min), quant.Int8Max)
			if math.Abs(exact-float64(got[i])) > steps {
				t.Fatalf("%s %v: element %d is %d, %v of %v is %v", op.Name(), rounding, i, got[i], want[i], out, exact)
			}
		}
	})
}

func mustRun(t *rapid.T, g *graph.Graph, r quant.Rounding, in []any) any {
	m, err := New(g, Options{Rounding: r})
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Run(in...)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// What there is no kernel for is refused before it could compute something else.
func TestRefusesScales(t *testing.T) {
	x := func(scale float32, shape ...int) *graph.Value {
		return &graph.Value{Name: "x", Type: int8Type(scale, 0, shape...)}
	}
	for _, c := range []struct {
		want string
		op   graph.Op
		out  float32
		in   []*graph.Value
	}{
		{"too small beside the inputs'", graph.Arithmetic{}, 1e-7, []*graph.Value{x(1, 2), x(1, 2)}},
		{"too far apart", graph.Unary{Fn: graph.HardSwish}, 0.005, []*graph.Value{x(1, 2)}},
		{"too far apart", graph.Unary{Fn: graph.HardSwish}, 1e6, []*graph.Value{x(1, 2)}},
		{"is too small", graph.Softmax{Beta: 1}, 1. / 256, []*graph.Value{x(1e-8, 2)}},
		{"may overflow its sum", graph.Softmax{Beta: 1}, 1. / 256, []*graph.Value{x(1, 4096)}},
	} {
		q := quant.PerTensor(c.out, 0)
		if f := graph.FixedQuant(c.op, graph.Int8); f != nil {
			q = f
		}
		if _, err := New(applied(graph.Quantized, c.op, q, c.in...), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.op.Name(), err, c.want)
		}
	}
	for depth, want := range map[int]string{most16: "", most16 + 1: "may overflow its sum"} {
		wide := &graph.Value{Name: "x", Type: graph.Type{DType: graph.Int16, Shape: []int{1, depth}, Quant: quant.PerTensor(0.001, 0)}}
		g := applied(graph.Quantized, graph.Softmax{Beta: 1}, graph.FixedQuant(graph.Softmax{}, graph.Int16), wide)
		m, err := New(g, Options{})
		if err == nil {
			_, err = m.Run(make([]int16, depth))
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("a row of %d int16: error %v, want %q", depth, err, want)
		}
	}
}

// exp is as good as the library's, of which it differs by how processors compute.
func TestExp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-746, 710).Draw(t, "x")
		got, want := exp(x), math.Exp(x)
		if got != want && !(math.Abs(got-want) <= 4e-16*want) && want > 1e-300 {
			t.Fatalf("exp(%v) is %v, want %v", x, got, want)
		}
	})
	if exp(0) != 1 || exp(-1e9) != 0 || !math.IsInf(exp(1e9), 1) || !math.IsNaN(exp(math.NaN())) {
		t.Error("edges")
	}
}

// Near 0 nothing cancels.
func TestSmallArguments(t *testing.T) {
	for _, x := range []float32{1e-3, 1e-13, 1e-17, -1e-13, -1e-17, 1e-40} {
		if got := floatUnary[graph.Tanh](x); got != float32(math.Tanh(float64(x))) {
			t.Errorf("tanh(%v) is %v", x, got)
		}
		if got, want := floatUnary[graph.Elu](-x), float32(math.Expm1(float64(-x))); x > 0 && got != want {
			t.Errorf("elu(%v) is %v, want %v", -x, got, want)
		}
	}
}

// So are the others, for numbers that a float32 holds.
func TestFunctions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := float64(rapid.Float32().Draw(t, "x"))
		near := func(name string, got, want float64) {
			if got != want && !(math.Abs(got-want) <= 1e-15*max(math.Abs(want), 1e-30)) && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Fatalf("%s(%v) is %v, want %v", name, x, got, want)
			}
		}
		near("log", log(x), math.Log(x))
		near("expm1", expm1(x), math.Expm1(x))
		near("sin", sine(x, 0), math.Sin(x))
		near("cos", sine(x, 1), math.Cos(x))
		b := float64(rapid.Float32Range(-20, 20).Draw(t, "b"))
		if rapid.Bool().Draw(t, "whole") {
			b = math.Round(b)
		}
		// Of a float32 exact, or next to it.
		if got, want := float32(pow(x, b)), float32(math.Pow(x, b)); got != want && !(math.Abs(float64(got-want)) <= 1e-7*math.Abs(float64(want))) &&
			!(got != got && want != want) {
			t.Fatalf("%v^%v is %v, want %v", x, b, got, want)
		}
	})
}

// The operators of whole networks, too, compute without allocating.
func TestNetworksAllocateNothing(t *testing.T) {
	for _, name := range []string{"residual", "squeezed", "mixed", "forms", "moves"} {
		g := readVectors(t, filepath.Join("testdata/vectors", name)).Graph
		m := machine(t, g, Options{})
		in := randomLike(rand.New(rand.NewPCG(1, 1)), g.Inputs[0])
		if n := testing.AllocsPerRun(3, func() { run(t, m, in) }); n > 1 { // one is the argument list's
			t.Errorf("%s: %v allocations a run", name, n)
		}
	}
}

// The rows that XNNPACK's bilinear kernel keeps are those that it would make again.
func TestBilinearRows(t *testing.T) {
	mixQ11 := func(a, b, c, d int8, y, x *place) int8 {
		top := int64(a)<<11 + (int64(b)-int64(a))*x.part
		bottom := int64(c)<<11 + (int64(d)-int64(c))*x.part
		return int8((top<<11 + (bottom-top)*y.part + 1<<21) >> 22)
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(least, most int, name string) int { return rapid.IntRange(least, most).Draw(t, name) }
		in, out := []int{draw(1, 2, "n"), draw(1, 5, "h"), draw(1, 5, "w"), draw(1, 3, "c")}, [2]int{draw(1, 9, "oh"), draw(1, 9, "ow")}
		op := graph.Resize{Size: out, HalfPixel: draw(0, 1, "half") == 1}
		op.AlignCorners = !op.HalfPixel && draw(0, 1, "corners") == 1
		c := &compiler{Options: Options{Rounding: quant.Float32}}
		var axes [2][]place
		for i := range axes {
			for o := range out[i] {
				axes[i] = append(axes[i], c.place(op, o, in[1+i], out[i], graph.Int8))
			}
		}
		x := make([]int8, in[0]*in[1]*in[2]*in[3])
		for i := range x {
			x[i] = rapid.SampledFrom([]int8{-128, -1, 0, 1, 127, 55}).Draw(t, "x")
		}
		got, want := make([]int8, in[0]*out[0]*out[1]*in[3]), make([]int8, in[0]*out[0]*out[1]*in[3])
		run := bilinearQ11(in, axes, x, got)
		run()
		x[0]++ // what was made before is not what is there now
		run()
		bilinear(in, axes, x, want, mixQ11)()
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
