package convert

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// Every format of a small network: how near it stays to float32, that its file reads back as the same graph and comes
// out with the same bytes again, and the release that can read it.
func TestSchemes(t *testing.T) {
	c := checkpoint(nil)
	samples := images(c, 16)
	want := outputs(t, folded(t, c), samples)
	for _, test := range []struct {
		recipe  Recipe
		least   float64 // dB
		runtime string
		share   float64 // of the float32 file's constants
	}{
		{Recipe{Scheme: Float32}, 100, "1.6.0", 1},
		{Recipe{Scheme: Float16}, 55, "1.15.0", 0.51},
		{Recipe{Scheme: Dynamic}, 30, "2.4.0", 0.33},
		{Recipe{Scheme: Dynamic, PerChannelFC: true}, 30, "2.17.0", 0.33},
		{Recipe{Scheme: Dynamic, PerTensor: true}, 25, "2.3.0", 0.33},
		{Recipe{Scheme: Int8}, 25, "1.14.0", 0.5},
		{Recipe{Scheme: Int8, PerChannelFC: true}, 25, "1.14.0", 0.5},
		{Recipe{Scheme: Int16x8}, 34, "2.4.0", 0.6},
		{Recipe{Scheme: Int16x8, PerChannelFC: true}, 34, "2.4.0", 0.6},
		{Recipe{Scheme: Int4}, 8, "2.11.0", 0.45},
	} {
		test.recipe.FloatIO = test.recipe.Scheme.Integer()
		g := convertTo(t, c, test.recipe).Graph
		if db := snr(want, outputs(t, g, samples)); db < test.least {
			t.Errorf("%+v: %.1f dB of float32, want %v", test.recipe, db, test.least)
		}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		back, err := tflite.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if back.Level != g.Level && test.recipe.Scheme != Float32 || !sameText(back, g) {
			t.Errorf("%+v: read back as\n%s\nwant\n%s", test.recipe, back, g)
		}
		if s := SchemeOf(back); s != test.recipe.Scheme {
			t.Errorf("%+v: taken for %s", test.recipe, s)
		}
		if again, err := tflite.Encode(convertTo(t, c, test.recipe).Graph); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%+v: other bytes the second time, %v", test.recipe, err)
		}
		if !bytes.Contains(b, append([]byte(test.runtime), 0)) {
			t.Errorf("%+v: the file does not ask for %s", test.recipe, test.runtime)
		}
		if share := constantBytes(g) / constantBytes(folded(t, c)); share > test.share {
			t.Errorf("%+v: constants take %.2f of float32's, want at most %v", test.recipe, share, test.share)
		}
	}
}

func sameText(a, b *graph.Graph) bool { return a.String() == b.String() }

func constantBytes(g *graph.Graph) (n float64) {
	for _, v := range g.Values() {
		if v.Constant() {
			n += float64(v.Type.Bytes())
		}
	}
	return n
}

// What each scheme makes of a layer: element types, and where scales are.
func TestSchemeTypes(t *testing.T) {
	c := checkpoint(nil)
	for _, test := range []struct {
		recipe              Recipe
		x, conv, fc, bias   graph.DType
		perConv, perDense   bool
		depthwise           graph.DType
		asymmetric, dequant bool
	}{
		{Recipe{Scheme: Float16}, graph.Float32, graph.Float32, graph.Float32, graph.Float32, false, false, graph.Float32, false, true},
		{Recipe{Scheme: Dynamic}, graph.Float32, graph.Int8, graph.Int8, graph.Float32, true, false, graph.Int8, true, false},
		{Recipe{Scheme: Int16x8, PerChannelFC: true}, graph.Int16, graph.Int8, graph.Int8, graph.Int64, true, true, graph.Int8, false, false},
		{Recipe{Scheme: Int4}, graph.Int8, graph.Int4, graph.Int8, graph.Int32, true, false, graph.Int8, false, false},
	} {
		for _, n := range convertTo(t, c, test.recipe).Graph.Nodes {
			if !weighted(n) {
				continue
			}
			w, perChannel := n.In[1].Type, false
			if w.Quant != nil {
				perChannel = len(w.Quant.Scale) > 1
			}
			want, wantPer := test.conv, test.perConv
			switch op := n.Op.(type) {
			case graph.FullyConnected:
				want, wantPer = test.fc, test.perDense
				if op.Asymmetric != test.asymmetric {
					t.Errorf("%+v: %+v", test.recipe, op)
				}
			case graph.DepthwiseConv2D:
				want = test.depthwise
			}
			dequant := n.In[1].Def != nil && n.In[1].Def.In[0].Type.DType == graph.Float16
			if w.DType != want || perChannel != wantPer || n.In[0].Type.DType != test.x ||
				n.In[2].Type.DType != test.bias || dequant != test.dequant {
				t.Errorf("%+v: %s of %v, %v, bias %v", test.recipe, n.Out.Name, n.In[0].Type, w, n.In[2].Type)
			}
		}
	}
}

// What can't be converted names the layer, in every scheme; an all-zero channel can.
func TestSchemesRefuse(t *testing.T) {
	spoiled := func(name string, x float32) func(*model.Checkpoint) {
		return func(c *model.Checkpoint) { c.Weights[name].Data[5] = x }
	}
	nan := float32(math.NaN())
	for _, s := range Schemes[1:] {
		for _, test := range []struct {
			name  string
			spoil func(*model.Checkpoint)
			want  string
		}{
			{"NaN weight", spoiled("layers.2.conv2.weight", nan), `layer "layers.2.conv2"`},
			{"NaN in a depthwise filter", spoiled("layers.2.conv1.weight", nan), `layer "layers.2.conv1"`},
			{"infinite dense weight", spoiled("linear.weight", float32(math.Inf(-1))), `"logits"`},
			{"zero channel", func(c *model.Checkpoint) { clear(c.Weights["layers.2.conv2.weight"].Data[:8]) }, ""},
			{"zero weight", func(c *model.Checkpoint) { clear(c.Weights["layers.2.conv2.weight"].Data) }, ""},
		} {
			c := checkpoint(nil)
			test.spoil(c)
			g, err := Lower(c)
			if err == nil {
				_, err = Run(context.Background(), g, Recipe{Scheme: s, Equalize: Off, RoundWeights: Off}, images(c, 2), nil)
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s: %v, want %q", s, test.name, err, test.want)
			}
		}
		_, err := Run(context.Background(), lower(t, checkpoint(nil)), Recipe{Scheme: s}, nil, nil)
		if s.Integer() != errors.Is(err, ErrCalibration) {
			t.Errorf("%s without samples: %v", s, err)
		}
	}
	g := folded(t, checkpoint(nil))
	w := g.Nodes[0].In[1]
	data := slices.Clone(floats(w))
	data[3] = 1e5
	g.Nodes[0].SetInput(1, graph.Const(w.Name, w.Type, data))
	_, err := Run(context.Background(), g, Recipe{Scheme: Float16}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "value 100000 at 3 does not fit a float16") {
		t.Errorf("beyond float16: %v", err)
	}
	if err := (Recipe{Scheme: Int8, PerTensor: true, PerChannelFC: true}).Check(); err == nil {
		t.Error("both one scale a weight and one a channel")
	}
}

// islandNet has operators without an integer form: between convolutions, two in a row, read by several, and the last.
func islandNet() *graph.Graph {
	g := graph.New("islands")
	g.Level = graph.Folded
	weight := func(name string, x float32, shape ...int) *graph.Value {
		return graphtest.Const(name, func(i int) float32 { return x * float32(i%7-3) }, shape...)
	}
	window := graph.Dense(1, graph.Same)
	x := g.Input("x", float32Type(1, 4, 4, 3))
	a := g.Apply("first", graph.Conv2D{Window: window}, x, weight("w1", 0.1, 6, 3, 3, 3), weight("b1", 0.1, 6))
	b := g.Apply("curve", graph.Unary{Fn: graph.Tanh}, a)
	c := g.Apply("leak", graph.LeakyReLU{Alpha: 0.1}, b)
	d := g.Apply("second", graph.Conv2D{Window: window}, c, weight("w2", 0.1, 6, 1, 1, 6), weight("b2", 0.1, 6))
	e := g.Apply("sum", graph.Arithmetic{}, c, d)
	f := g.Apply("pool", graph.Mean{Axes: []int{1, 2}}, e)
	two := graphtest.Const("two", func(int) float32 { return 2 }, 6)
	g.Outputs = []*graph.Value{g.Apply("share", graph.Arithmetic{Fn: graph.Div}, f, two)}
	return g
}

// An operator without an integer form is refused by name, or kept in float32 between DEQUANTIZE and QUANTIZE.
func TestPartial(t *testing.T) {
	samples := randomInputs(4*4*3, 16)
	want := outputs(t, islandNet(), samples)
	for _, s := range []Scheme{Int8, Int16x8, Int4} {
		_, err := Run(context.Background(), islandNet(), Recipe{Scheme: s}, samples, nil)
		if err == nil || !strings.Contains(err.Error(), `layer "curve": tanh has no form for integers of type int`) {
			t.Errorf("%s: %v", s, err)
		}
		for _, floatIO := range []bool{false, true} {
			res, err := Run(context.Background(), islandNet(), Recipe{Scheme: s, Partial: true, FloatIO: floatIO}, samples, nil)
			if err != nil {
				t.Fatal(err)
			}
			least := map[Scheme]float64{Int8: 30, Int16x8: 40, Int4: 14}[s]
			if floatIO {
				if db := snr(want, outputs(t, res.Graph, samples)); db < least {
					t.Errorf("%s: %.1f dB of the float network", s, db)
				}
			}
			d := s.activation()
			if io := res.Graph.Outputs[0].Type.DType; io != map[bool]graph.DType{false: d, true: graph.Float32}[floatIO] {
				t.Errorf("%s, float edges %v: output of %v", s, floatIO, io)
			}
			var ops []string
			for _, n := range res.Graph.Nodes {
				ops = append(ops, n.Op.Name())
			}
			middle := []string{"conv2d", "dequantize", "tanh", "leaky_relu", "quantize", "conv2d", "add", "mean", "dequantize", "div"}
			if at := slices.Index(ops, "conv2d"); !slices.Equal(ops[at:at+len(middle)], middle) {
				t.Errorf("%s, float edges %v: %v", s, floatIO, ops)
			}
			b, err := tflite.Encode(res.Graph)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := tflite.Decode(b); err != nil || !sameText(back, res.Graph) {
				t.Errorf("%s: read back: %v", s, err)
			}
		}
	}
	// A hard swish has kernels for int8, none for int16.
	_, err := Run(context.Background(), fileNet(t), Recipe{Scheme: Int16x8}, randomInputs(8*8*3, 4), nil)
	if err == nil || !strings.Contains(err.Error(), "hard_swish has no form for integers of type int16") {
		t.Errorf("hard swish: %v", err)
	}
	samples = randomInputs(8*8*3, 32)
	res, err := Run(context.Background(), fileNet(t), Recipe{Scheme: Int16x8, Partial: true, FloatIO: true}, samples, nil)
	if err != nil {
		t.Fatal(err)
	}
	if db := snr(outputs(t, fileNet(t), samples), outputs(t, res.Graph, samples)); db < 40 {
		t.Errorf("hard swish in float32: %.1f dB of the float network", db)
	}
}

// Outputs may be several, among them the input and what other nodes go on with, as they are of the part of a network before a tail.
func TestSeveralOutputs(t *testing.T) {
	samples := randomInputs(4*4*3, 16)
	net := func() *graph.Graph {
		g := islandNet()
		g.Outputs = append([]*graph.Value{g.Inputs[0], g.Nodes[0].Out, g.Nodes[4].Out}, g.Outputs...)
		return g
	}
	for _, s := range []Scheme{Int8, Int16x8, Dynamic, Float16} {
		for _, floatIO := range []bool{false, true} {
			res, err := Run(context.Background(), net(), Recipe{Scheme: s, Partial: true, FloatIO: floatIO}, samples, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]graph.DType{false: s.activation(), true: graph.Float32}[floatIO || !s.Integer()]
			for i, v := range res.Graph.Outputs {
				if v.Type.DType != want || !slices.Equal(v.Type.Shape, net().Outputs[i].Type.Shape) {
					t.Errorf("%s, float edges %v: output %d is %v", s, floatIO, i, v.Type)
				}
			}
			if want != graph.Float32 {
				continue
			}
			for i := range res.Graph.Outputs {
				db := snr(outputs(t, giving(net(), i), samples), outputs(t, giving(res.Graph, i), samples))
				if least := map[Scheme]float64{Int8: 30, Int16x8: 40, Dynamic: 30, Float16: 60}[s]; db < least {
					t.Errorf("%s: output %d is %.1f dB of the float network's", s, i, db)
				}
			}
		}
	}
}

// giving is a copy of g with one of its outputs.
func giving(g *graph.Graph, output int) *graph.Graph {
	one, _ := g.Clone()
	one.Outputs = one.Outputs[output:][:1]
	return one
}

// A net of newer blocks: what moves elements is integers, the rest islands, and the whole stays near what it was.
func TestPartialBlocks(t *testing.T) {
	samples := randomInputs(16*16*3, 32)
	want := outputs(t, fileOf(t, "tf_blocks"), samples)
	floats := []string{"batch_matmul", "sum", "transpose_conv2d", "exp", "log", "tanh", "pow", "sin", "l2_normalization", "dequantize"}
	for _, c := range []struct {
		scheme Scheme
		least  float64
		floats []string
	}{
		{Int8, 33, floats},
		{Int16x8, 48, append(floats, "space_to_depth")},
	} {
		res, err := Run(context.Background(), fileOf(t, "tf_blocks"), Recipe{Scheme: c.scheme, Partial: true, FloatIO: true}, samples, nil)
		if err != nil {
			t.Fatal(err)
		}
		if db := snr(want, outputs(t, res.Graph, samples)); db < c.least {
			t.Errorf("%s: %.1f dB of the float network", c.scheme, db)
		}
		for _, n := range res.Graph.Nodes {
			if d := n.Out.Type.DType; (d == graph.Float32) != slices.Contains(c.floats, n.Op.Name()) {
				t.Errorf("%s: %s %q is %v", c.scheme, n.Op.Name(), n.Out.Name, d)
			}
		}
	}
}

// The int16 quantization of a range, and the room its biases have.
func TestInt16Range(t *testing.T) {
	for _, c := range []struct {
		r    graph.Interval
		want float32
	}{
		{graph.Interval{Min: -1, Max: 32767}, 1},
		{graph.Interval{Min: -65534, Max: 3}, 2},
		{graph.Interval{}, 1},
	} {
		if q := rangeQuant(graph.Int16, c.r); !q.Equal(quant.PerTensor(c.want, 0)) {
			t.Errorf("%v: %+v", c.r, q)
		}
	}
	b := biasConst("b", graph.Type{DType: graph.Int64, Shape: []int{3}}, []float64{1e18, -1e18, 1 << 40})
	if got := b.Data.([]int64); got[0] != 1<<45-1 || got[1] != -(1<<45-1) || got[2] != 1<<40 {
		t.Errorf("biases %v", got)
	}
}

// Weights that two layers share are written once, in every scheme that does not refine them layer by layer.
func TestSharedWeights(t *testing.T) {
	for _, s := range []Scheme{Float32, Float16, Dynamic, Int8, Int16x8} {
		g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
			a := g.Apply("a", graph.Mean{Axes: []int{1, 2}}, x)
			w, b := steps("w", 0.1, 2, 2), steps("b", 0.1, 2)
			return g.Apply("y", graph.FullyConnected{}, g.Apply("first", graph.FullyConnected{}, a, w, b), w, b)
		})
		res, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.Scheme = s }), each(samples), nil)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		weights := map[*graph.Value]bool{}
		for _, n := range res.Graph.Nodes {
			if _, ok := n.OutputAxis(); ok {
				weights[n.In[1]] = true
			}
		}
		if len(weights) != 1 {
			t.Errorf("%s: %d weights for two layers that share them\n%s", s, len(weights), res.Graph)
		}
	}
}

// One buffer may be weights of two shapes: they share numbers, not the tensor.
func TestSharedNumbers(t *testing.T) {
	numbers := make([]float32, 8)
	for i := range numbers {
		numbers[i] = float32(i) - 3
	}
	for _, s := range []Scheme{Float16, Dynamic, Int8, Int16x8} {
		g, samples := tiny(func(g *graph.Graph, x *graph.Value) *graph.Value {
			a := g.Apply("a", graph.Mean{Axes: []int{1, 2}}, x)
			wide := g.Apply("wide", graph.FullyConnected{}, a, graph.Const("w", float32Type(4, 2), numbers), steps("b", 0.1, 4))
			return g.Apply("y", graph.FullyConnected{}, wide, graph.Const("v", float32Type(2, 4), numbers), steps("c", 0.1, 2))
		})
		if _, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.Scheme = s }), each(samples), nil); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
