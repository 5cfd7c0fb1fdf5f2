package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mnet-edge/quant"
)

func floatType(shape ...int) Type { return Type{DType: Float32, Shape: shape} }

// small is a float network with every operator that a checkpoint lowers to.
func small() *Graph {
	g := New("small")
	x := g.Input("input", floatType(1, 5, 5, 2))
	x = g.Apply("pad", Pad{Before: []int{0, 1, 1, 0}, After: []int{0, 1, 1, 0}}, x)
	x = g.Apply("conv", Conv2D{Window: Dense(2, Valid)}, x, Const("conv.weight", floatType(3, 3, 3, 2), make([]float32, 54)))
	var bn []*Value
	for _, name := range []string{"gamma", "beta", "mean", "variance"} {
		bn = append(bn, Const(name, floatType(3), make([]float32, 3)))
	}
	x = g.Apply("bn", BatchNorm{Eps: 1e-5}, append([]*Value{x}, bn...)...)
	x = g.Apply("relu", Activate{Act: ReLU}, x)
	x = g.Apply("pool", Mean{Axes: []int{1, 2}}, x)
	x = g.Apply("logits", FullyConnected{}, x, Const("fc.weight", floatType(4, 3), make([]float32, 12)), Const("fc.bias", floatType(4), make([]float32, 4)))
	g.Outputs = []*Value{x}
	g.Meta = Meta{Description: "a test", Labels: []string{"a", "b", "c", "d"}, Mean: []float32{121}, Std: []float32{64}}
	return g
}

// integer is a quantized convolution whose every part satisfies Check.
func integer() *Graph {
	g := New("integer")
	g.Level = Quantized
	x := g.Input("x", Type{Int8, []int{1, 4, 4, 2}, quant.PerTensor(0.5, -3)})
	w := Const("w", Type{Int8, []int{1, 3, 3, 2}, quant.PerChannel([]float32{0.25, 0.125}, 3)}, make([]int8, 18))
	b := Const("b", Type{Int32, []int{2}, quant.PerChannel([]float32{0.125, 0.0625}, 0)}, make([]int32, 2))
	y := g.Apply("y", DepthwiseConv2D{Window: Dense(1, Same), Act: ReLU6}, x, w, b)
	y.Type.Quant = quant.PerTensor(0.25, -128)
	g.Outputs = []*Value{y}
	return g
}

// wide is a quantized graph of int16.
func wide() *Graph {
	g := New("wide")
	g.Level = Quantized
	x := g.Input("x", Type{Int16, []int{1, 4, 4, 2}, quant.PerTensor(0.5, 0)})
	w := Const("w", Type{Int8, []int{1, 3, 3, 2}, quant.PerChannel([]float32{0.25, 0.125}, 3)}, make([]int8, 18))
	b := Const("b", Type{Int64, []int{2}, quant.PerChannel([]float32{0.125, 0.0625}, 0)}, make([]int64, 2))
	y := g.Apply("y", DepthwiseConv2D{Window: Dense(1, Same)}, x, w, b)
	y.Type.Quant = quant.PerTensor(0.25, 0)
	g.Outputs = []*Value{y}
	return g
}

// hybrid is a graph of float32 activations and int8 weights.
func hybrid() *Graph {
	g := New("hybrid")
	g.Level = Quantized
	x := g.Input("x", floatType(1, 4, 4, 2))
	w := Const("w", Type{Int8, []int{1, 3, 3, 2}, quant.PerChannel([]float32{0.25, 0.125}, 3)}, make([]int8, 18))
	b := Const("b", floatType(2), make([]float32, 2))
	g.Outputs = []*Value{g.Apply("y", DepthwiseConv2D{Window: Dense(1, Same)}, x, w, b)}
	return g
}

// more is a quantized graph of the operators without weights.
func more() *Graph {
	g := New("more")
	g.Level = Quantized
	same := quant.PerTensor(0.5, -3)
	apply := func(name string, q *quant.Params, op Op, in ...*Value) *Value {
		v := g.Apply(name, op, in...)
		v.Type.Quant = q
		return v
	}
	x := g.Input("x", Type{Int8, []int{1, 4, 6, 2}, same})
	pool := apply("pool", same, Pool{Fn: Max, Window: Dense(2, Same), Size: [2]int{3, 2}, Act: ReLU}, x)
	size := apply("resize", same, Resize{Fn: Bilinear, Size: [2]int{2, 3}, HalfPixel: true}, x)
	x = apply("concat", same, Concat{Axis: 3}, pool, size)
	x = apply("transpose", same, Transpose{Perm: []int{0, 3, 1, 2}}, x)
	x = apply("add", quant.PerTensor(0.7, 5), Arithmetic{Fn: Add, Act: ReLU6}, x, Const("three", Type{Int8, nil, quant.PerTensor(3./255, -128)}, []int8{127}))
	x = apply("swish", quant.PerTensor(0.6, -100), Unary{Fn: HardSwish}, x)
	gate := apply("logistic", quant.PerTensor(1./256, -128), Unary{Fn: Logistic}, x)
	x = apply("mul", quant.PerTensor(0.6, -100), Arithmetic{Fn: Mul}, x, gate)
	x = apply("softmax", quant.PerTensor(1./256, -128), Softmax{Beta: 0.5}, x)
	g.Outputs = []*Value{x}
	return g
}

func TestPrint(t *testing.T) {
	const wantFloat = `graph "small" float
input = input : float32[1,5,5,2]
pad = pad(input) before=[0 1 1 0] after=[0 1 1 0] : float32[1,7,7,2]
conv.weight = const 84957f6d : float32[3,3,3,2]
conv = conv2d(pad, conv.weight) stride=2 pad=valid : float32[1,3,3,3]
gamma = const 7bd5c66f : float32[3]
beta = const 7bd5c66f : float32[3]
mean = const 7bd5c66f : float32[3]
variance = const 7bd5c66f : float32[3]
bn = batch_norm(conv, gamma, beta, mean, variance) eps=1e-05 : float32[1,3,3,3]
relu = activate(bn) act=relu : float32[1,3,3,3]
pool = mean(relu) axes=[1 2] : float32[1,3]
fc.weight = const f288b395 : float32[4,3]
fc.bias = const ecbb4b55 : float32[4]
logits = fully_connected(pool, fc.weight, fc.bias) : float32[1,4] -> output
description "a test"
normalization mean=[121] std=[64]
labels ["a" "b" "c" "d"]
`
	const wantInteger = `graph "integer" quantized
x = input : int8[1,4,4,2] {0.5:-3}
w = const 671bcf4d : int8[1,3,3,2] {2 scales 0.125..0.25 axis 3 74a45e68}
b = const 6522df69 : int32[2] {2 scales 0.0625..0.125 axis 0 285f844e}
y = depthwise_conv2d(x, w, b) stride=1 pad=same act=relu6 : int8[1,4,4,2] {0.25:-128} -> output
`
	const wantMore = `graph "more" quantized
x = input : int8[1,4,6,2] {0.5:-3}
pool = max_pool(x) size=3x2 stride=2 pad=same act=relu : int8[1,2,3,2] {0.5:-3}
resize = resize_bilinear(x) half_pixel : int8[1,2,3,2] {0.5:-3}
concat = concat(pool, resize) axis=3 : int8[1,2,3,4] {0.5:-3}
transpose = transpose(concat) perm=[0 3 1 2] : int8[1,4,2,3] {0.5:-3}
three = const 12b88320 : int8[] {0.011764706:-128}
add = add(transpose, three) act=relu6 : int8[1,4,2,3] {0.7:5}
swish = hard_swish(add) : int8[1,4,2,3] {0.6:-100}
logistic = logistic(swish) : int8[1,4,2,3] {0.00390625:-128}
mul = mul(swish, logistic) : int8[1,4,2,3] {0.6:-100}
softmax = softmax(mul) beta=0.5 : int8[1,4,2,3] {0.00390625:-128} -> output
`
	for _, c := range []struct {
		g    *Graph
		want string
	}{{small(), wantFloat}, {integer(), wantInteger}, {more(), wantMore}} {
		if err := c.g.Check(); err != nil {
			t.Error(err)
		}
		if got := c.g.String(); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

// Names may be empty or repeat; the text still tells values apart.
func TestPrintNames(t *testing.T) {
	g := New("")
	x := g.Input("x", floatType(2))
	x = g.Apply("x", Activate{Act: ReLU}, x)
	x = g.Apply("", Activate{Act: ReLU6}, x)
	g.Outputs = []*Value{x}
	const want = `graph "" float
x = input : float32[2]
x#1 = activate(x) act=relu : float32[2]
#2 = activate(x#1) act=relu6 : float32[2] -> output
`
	if got := g.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a name has in it is not taken for the text's own.
func TestPrintOddNames(t *testing.T) {
	g := New("")
	a, b := g.Input("x#2", floatType(2)), g.Input("x", floatType(2))
	x := g.Apply("x", Activate{Act: ReLU}, b)
	both := g.Apply("a, b", Arithmetic{Fn: Add}, a, x)
	g.Outputs = []*Value{g.Apply("two\nlines = input", Activate{Act: ReLU6}, both)}
	const want = `graph "" float
"x#2" = input : float32[2]
x = input : float32[2]
x#2 = activate(x) act=relu : float32[2]
"a, b" = add("x#2", x#2) : float32[2]
"two\nlines = input" = activate("a, b") act=relu6 : float32[2] -> output
`
	if got := g.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The order of outputs, and how often a value is one, is part of what a graph computes.
func TestPrintOutputs(t *testing.T) {
	g := New("")
	x := g.Input("x", floatType(2))
	y := g.Apply("y", Activate{Act: ReLU}, x)
	g.Outputs = []*Value{y, x, y}
	const want = `graph "" float
x = input : float32[2] -> output 1
y = activate(x) act=relu : float32[2] -> output 0 2
`
	if got := g.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Each case breaks one thing; Check must say so, naming the value.
func TestCheckFaults(t *testing.T) {
	node := func(g *Graph, name string) *Node {
		for _, n := range g.Nodes {
			if n.Out.Name == name {
				return n
			}
		}
		panic(name)
	}
	for _, c := range []struct {
		name  string
		g     *Graph
		spoil func(g *Graph)
		want  string
	}{
		{"stored shape", small(), func(g *Graph) { node(g, "conv").Out.Type.Shape = []int{1, 2, 2, 3} }, `"conv" is float32[1 2 2 3], inferred float32[1 3 3 3]`},
		{"kernel too large", small(), func(g *Graph) { g.Inputs[0].Type.Shape = []int{1, 0, 5, 2} }, `"input": dimension 0`},
		{"short constant", small(), func(g *Graph) { node(g, "logits").In[1].Data = make([]float32, 11) }, `constant "fc.weight": 11 elements`},
		{"order", small(), func(g *Graph) { g.Nodes[0], g.Nodes[1] = g.Nodes[1], g.Nodes[0] }, `conv2d "conv" uses "pad" before its definition`},
		{"use list", small(), func(g *Graph) { node(g, "pool").In[0].Uses = nil }, `mean "pool" uses "relu", which does not know it`},
		{"no result", small(), func(g *Graph) {
			n := &Node{Op: Activate{Act: ReLU}, In: []*Value{g.Inputs[0]}}
			g.Inputs[0].Uses, g.Nodes = append(g.Inputs[0].Uses, n), append(g.Nodes, n)
		}, `node activate does not define its output`},
		{"no input", small(), func(g *Graph) { node(g, "pool").In[0] = nil }, `mean "pool" lacks an input`},
		{"foreign use", small(), func(g *Graph) {
			x, lost := node(g, "pool").In[0], New("other").Apply("lost", Activate{Act: ReLU}, g.Inputs[0])
			g.Inputs[0].Uses = g.Inputs[0].Uses[:len(g.Inputs[0].Uses)-1]
			x.Uses = append(x.Uses, lost.Def)
		}, `"relu" knows activate "lost" as a use, which does not use it`},
		{"input twice", small(), func(g *Graph) { g.Inputs = append(g.Inputs, g.Inputs[0]) }, `input "input" is also defined elsewhere`},
		{"convolution of no channels", small(), func(g *Graph) { node(g, "conv").In[0].Type.Shape[3] = 0 }, `weight [3 3 3 2] for 0 input channels`},
		{"tiles of nothing", small(), func(g *Graph) {
			g.Apply("tile", Tile{Times: []int{2}}, Const("none", Type{DType: Float32, Shape: []int{0}}, []float32{}))
		}, `input [0] repeated [2] times`},
		{"no output", small(), func(g *Graph) { g.Outputs = nil }, `0 outputs`},
		{"foreign output", small(), func(g *Graph) { g.Outputs[0] = &Value{Name: "lost"} }, `output "lost" is not defined`},
		{"twice defined", small(), func(g *Graph) { g.Nodes = append(g.Nodes, g.Nodes[0]) }, `"pad" is defined twice`},
		{"unfolded", small(), func(g *Graph) { g.Level = Folded }, `batch_norm "bn": not folded`},
		{"no ranges", small(), func(g *Graph) { g.Level = Ranged }, `"logits" has no range`},
		{"overflowing shape", small(), func(g *Graph) { g.Inputs[0].Type.Shape = []int{1 << 31, 1 << 31, 1 << 31, 2} }, `has more than`},
		{"huge padding", small(), func(g *Graph) { node(g, "pad").Op = Pad{Before: []int{0, math.MaxInt, 0, 0}, After: make([]int, 4)} }, `padding`},
		{"zero stride", integer(), func(g *Graph) { node(g, "y").Op = DepthwiseConv2D{Window: Window{Dilation: [2]int{1, 1}}} }, `stride [0 0]`},
		{"bias scale", integer(), func(g *Graph) { node(g, "y").In[2].Type.Quant.Scale[1] = 0.07 }, `bias scale 0.07 of channel 1`},
		{"weight axis", integer(), func(g *Graph) { node(g, "y").In[1].Type.Quant.Axis = 0 }, `2 scales along axis 0`},
		{"asymmetric weight", integer(), func(g *Graph) { node(g, "y").In[1].Type.Quant.Zero[0] = 1 }, `weights are not symmetric`},
		{"zero scale", integer(), func(g *Graph) { node(g, "y").Out.Type.Quant = quant.PerTensor(0, 0) }, `scale 0 of channel 0`},
		{"unquantized output", integer(), func(g *Graph) { node(g, "y").Out.Type.Quant = nil }, `an activation needs one scale`},
		{"one input", integer(), func(g *Graph) { n := node(g, "y"); n.In = n.In[:1] }, `1 inputs`},
		{"no bias", integer(), func(g *Graph) { n := node(g, "y"); n.In = n.In[:2] }, `no bias`},
		{"pool's quantization", more(), func(g *Graph) { node(g, "pool").Out.Type.Quant = quant.PerTensor(0.5, -2) }, `max_pool "pool": changes the quantization`},
		{"concat's quantization", more(), func(g *Graph) { node(g, "concat").In[1].Type.Quant = quant.PerTensor(0.25, -3) }, `concat "concat": changes the quantization`},
		{"softmax's quantization", more(), func(g *Graph) { node(g, "softmax").Out.Type.Quant = quant.PerTensor(0.5, 0) }, `{0.5:0}: want {0.00390625:-128}`},
		{"logistic's quantization", more(), func(g *Graph) { node(g, "logistic").Out.Type.Quant.Zero[0] = 0 }, `want {0.00390625:-128}`},
		{"operand's quantization", more(), func(g *Graph) { node(g, "add").In[1].Type.Quant = nil }, `add "add": an activation needs one scale`},
		{"float16 as an activation", integer(), func(g *Graph) {
			g.Inputs[0].Type = Type{DType: Float16, Shape: g.Inputs[0].Type.Shape}
			g.Nodes[0].Out.Type.DType, g.Nodes[0].Out.Type.Quant = Float16, nil
		}, `an activation needs one scale`},
		{"int16 with a zero point", wide(), func(g *Graph) { g.Inputs[0].Type.Quant = quant.PerTensor(1, 3) }, `symmetric: want zero point 0`},
		{"int16 with int32 bias", wide(), func(g *Graph) {
			b := node(g, "y").In[2]
			b.Type.DType, b.Data = Int32, []int32{1, 2}
		}, `bias is not int64`},
		{"int16 with int4 weights", wide(), func(g *Graph) { node(g, "y").In[1].Type.DType = Int4 }, `int4 weights for int16`},
		{"int16 probabilities", wide(), func(g *Graph) {
			v := g.Apply("p", Softmax{Beta: 1}, node(g, "y").Out)
			v.Type.Quant = quant.PerTensor(1./256, 0)
		}, `want {3.0517578e-05:0}`},
		{"int16 hard swish", wide(), func(g *Graph) {
			g.Apply("h", Unary{Fn: HardSwish}, node(g, "y").Out).Type.Quant = quant.PerTensor(1, 0)
		}, `hard_swish has no form for integers of type int16`},
		{"int8 tanh", integer(), func(g *Graph) {
			g.Apply("t", Unary{Fn: Tanh}, node(g, "y").Out).Type.Quant = quant.PerTensor(1, 0)
		}, `tanh has no form for integers of type int8`},
		{"int4 out of range", integer(), func(g *Graph) {
			w := node(g, "y").In[1]
			w.Type.DType, w.Data = Int4, append([]int8{8}, w.Data.([]int8)[1:]...)
		}, `8 at 0 is no int4`},
		{"hybrid without scales", hybrid(), func(g *Graph) { node(g, "y").In[1].Type.Quant = nil }, `weights without quantization`},
		{"hybrid with an integer bias", hybrid(), func(g *Graph) {
			b := node(g, "y").In[2]
			b.Type.DType, b.Data = Int32, []int32{1, 2}
		}, `mixes float32 and integers`},
		{"hybrid with float16 weights", hybrid(), func(g *Graph) {
			w := node(g, "y").In[1]
			w.Type, w.Data = Type{DType: Float16, Shape: w.Type.Shape}, make([]Half, w.Type.Elements())
		}, `float16 weights for float32`},
		{"float16 that is computed", hybrid(), func(g *Graph) {
			x := g.Input("h", Type{DType: Float16, Shape: []int{2}})
			g.Apply("d", Dequantize{}, x)
		}, `float16 that is no constant`},
		{"operand's type", more(), func(g *Graph) { node(g, "add").In[1].Type.DType = Int16 }, `inputs of int8 and int16`},
	} {
		if err := c.g.Check(); err != nil {
			t.Errorf("%s: before: %v", c.name, err)
		}
		c.spoil(c.g)
		if err := c.g.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// The shapes that operators give, and what they refuse.
func TestInfer(t *testing.T) {
	image := floatType(1, 4, 6, 2)
	for _, c := range []struct {
		op   Op
		in   []Type
		want string // the shape, or the error
	}{
		{Arithmetic{}, []Type{floatType(2, 1, 3), floatType(4, 1)}, "[2 4 3]"},
		{Arithmetic{}, []Type{floatType(), image}, "[1 4 6 2]"},
		{Arithmetic{}, []Type{image, floatType(3)}, "do not go together"},
		{Arithmetic{}, []Type{image}, "1 inputs: want 2 to 2"},
		{Arithmetic{}, []Type{image, {DType: Int8, Shape: image.Shape}}, "inputs of float32 and int8"},
		{Softmax{Beta: 1}, []Type{floatType()}, "scalar input"},
		{Softmax{}, []Type{image}, "beta 0"},
		{Softmax{Beta: float32(math.NaN())}, []Type{image}, "beta NaN"},
		{Unary{}, []Type{image, image}, "2 inputs"},
		{FullyConnected{}, []Type{image, floatType(3, 2)}, "[24 3]"},
		{FullyConnected{KeepDims: true}, []Type{image, floatType(3, 2)}, "[1 4 6 3]"},
		{FullyConnected{}, []Type{image, floatType(3, 16)}, "[3 3]"},
		{FullyConnected{KeepDims: true}, []Type{image, floatType(3, 16)}, "weight [3 16] for input [1 4 6 2]"},
		{FullyConnected{}, []Type{image, floatType(3, 5)}, "weight [3 5]"},
		{Pool{Window: Dense(2, Same), Size: [2]int{3, 3}}, []Type{image}, "[1 2 3 2]"},
		{Pool{Window: Dense(1, Valid), Size: [2]int{5, 1}}, []Type{image}, "does not fit"},
		{Pool{Window: Dense(1, Valid), Size: [2]int{0, 1}}, []Type{image}, "window [0 1]"},
		{Pool{Window: Window{Stride: [2]int{1, 1}, Dilation: [2]int{2, 1}}, Size: [2]int{1, 1}}, []Type{image}, "dilation [2 1]"},
		{Pool{Window: Dense(1, Same), Size: [2]int{2, 2}}, []Type{floatType(4)}, "want 4 dimensions"},
		{Concat{Axis: 1}, []Type{image, image, floatType(1, 1, 6, 2)}, "[1 9 6 2]"},
		{Concat{Axis: 2}, []Type{image, floatType(1, 5, 6, 2)}, "beside [1 4 6 2] along axis 2"},
		{Concat{Axis: 4}, []Type{image}, "axis 4"},
		{Concat{Axis: -1}, []Type{image}, "axis -1"},
		{Concat{}, nil, "no inputs"},
		{Concat{}, []Type{floatType(MaxElements), floatType(MaxElements), floatType(math.MaxInt)}, "beside"},
		{Transpose{Perm: []int{3, 0, 2, 1}}, []Type{image}, "[2 1 6 4]"},
		{Transpose{Perm: []int{3, 0, 0, 1}}, []Type{image}, "permutation"},
		{Transpose{Perm: []int{0, 1, 2}}, []Type{image}, "permutation"},
		{Transpose{Perm: []int{0, 1, 2, 4}}, []Type{image}, "permutation"},
		{Resize{Size: [2]int{9, 1}}, []Type{image}, "[1 9 1 2]"},
		{Resize{Size: [2]int{9, 0}}, []Type{image}, "want sides of 1 to 32768"},
		{Resize{Size: [2]int{9, 1 << 16}}, []Type{image}, "want sides"},
		{Resize{Size: [2]int{9, 9}, AlignCorners: true, HalfPixel: true}, []Type{image}, "both"},
		{Resize{Size: [2]int{9, 9}}, []Type{floatType(9, 9)}, "want 4 dimensions"},
	} {
		got, err := infer(c.op, c.in)
		text := fmt.Sprint(got.Shape)
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, c.want) || err == nil && (text != c.want || got.DType != Float32) {
			t.Errorf("%s %+v of %v: %s, want %s", c.op.Name(), c.op, c.in, text, c.want)
		}
	}
}

// Window arithmetic against the published rule, including the stride-2 case where SAME differs from PyTorch's
// symmetric padding.
func TestWindow(t *testing.T) {
	for _, c := range []struct {
		w           Window
		in, k       int
		out, before int
	}{
		{Dense(1, Same), 32, 3, 32, 1},
		{Dense(2, Same), 32, 3, 16, 0},
		{Dense(2, Same), 33, 3, 17, 1},
		{Dense(3, Same), 10, 2, 4, 0},
		{Dense(2, Valid), 34, 3, 16, 0},
		{Dense(1, Valid), 2, 3, 0, 0},
		{Window{Stride: [2]int{1, 1}, Dilation: [2]int{4, 4}, Padding: Same}, 8, 3, 8, 4},
	} {
		if out, before := c.w.Out(0, c.in, c.k); out != c.out || before != c.before {
			t.Errorf("%+v in %d kernel %d: %d, %d, want %d, %d", c.w, c.in, c.k, out, before, c.out, c.before)
		}
	}
}

func TestRewrite(t *testing.T) {
	g := small()
	relu := g.Nodes[3]
	if err := g.Remove(relu); err == nil {
		t.Error("removed a node in use")
	}
	g.Replace(relu.Out, relu.In[0])
	if err := g.Remove(relu); err != nil {
		t.Error(err)
	}
	q := g.Insert(g.Nodes[0], "first", Activate{Act: ReLU6}, g.Inputs[0])
	g.Nodes[1].SetInput(0, q)
	if err := g.Check(); err != nil {
		t.Error(err)
	}
	if g.Nodes[0] != q.Def || strings.Contains(g.String(), "act=relu :") {
		t.Errorf("after rewriting:\n%s", g)
	}
}

// As many edges as a file of a few megabytes can ask for are looked at one by one, not each beside all others.
func TestManyEdges(t *testing.T) {
	g := New("edges")
	x := g.Input("x", Type{DType: Float32, Shape: []int{1, 1}})
	y := g.Apply("y", Activate{Act: ReLU}, x)
	g.Outputs = []*Value{y}
	for range 1 << 14 {
		g.Apply("unread", Concat{Axis: 1}, slices.Repeat([]*Value{x}, 1<<7)...)
	}
	if err := g.Check(); err != nil {
		t.Error(err)
	}
	g.RemoveUnread()
	if len(g.Nodes) != 1 || len(x.Uses) != 1 {
		t.Errorf("%d nodes and %d uses of the input, want what is read alone", len(g.Nodes), len(x.Uses))
	}
}

func TestUnread(t *testing.T) {
	g := New("unread")
	x := g.Input("x", Type{DType: Float32, Shape: []int{1, 4}})
	y := g.Apply("y", Activate{Act: ReLU}, x)
	g.Outputs = []*Value{y}
	if v := g.Unread(); v != nil {
		t.Errorf("%q, want none: an output is read", v.Name)
	}
	dead := g.Apply("dead", Activate{Act: ReLU6}, y)
	if v := g.Unread(); v != dead {
		t.Errorf("%v, want the value that nobody reads", v)
	}
}
