package native

import (
	"encoding/binary"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/interp"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// The draws of rapid are the same in every run; -rapid.seed=0 draws others, as make soak does.
func init() { flag.Set("rapid.seed", "1") }

// Random operators of random shapes have graph/interp's bits, by every family, in both arithmetics, between guard pages.
// go test -run Random -rapid.checks 10000 tries more of them.
func TestRandomOperators(t *testing.T) {
	manyProcessors(t, 3)
	for _, op := range []struct {
		name string
		draw func(*builder) *graph.Graph
	}{
		{"conv", (*builder).conv}, {"pointwise", (*builder).pointwise}, {"depthwise", (*builder).depthwise},
		{"depthwise3x3", (*builder).depthwise3x3}, {"fully", (*builder).fully}, {"mean", (*builder).mean},
		{"elements", (*builder).elements}, {"sum", (*builder).sum}, {"repeated", (*builder).repeated},
		{"unary", (*builder).unary}, {"pool", (*builder).pool}, {"slide", (*builder).slide},
	} {
		t.Run(op.name, func(t *testing.T) {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of this goroutine
			rapid.Check(t, func(t *rapid.T) {
				b := &builder{T: t}
				g := op.draw(b)
				if err := g.Check(); err != nil {
					t.Fatalf("the test's graph: %v", err)
				}
				b.seed()
				for _, r := range []quant.Rounding{quant.Float32, quant.Double} {
					for _, f := range Families() {
						b.compare(g, f, r, b.int("threads", 1, 3))
					}
				}
			})
		})
	}
}

// compare runs g by a family and by the interpreter: step by step, then with threads one after the other in each stretch,
// whoever is first, then with all at once.
func (b *builder) compare(g *graph.Graph, f Family, rounding quant.Rounding, threads int) {
	m, want, err := watched(b, g, rounding)
	hooks, free := guarded(b, b.guardBegin)
	defer free()
	hooks.share = true
	p, refused := newPlan(g, f, rounding, threads, hooks)
	if err != nil { // a sum that may overflow
		if !errors.Is(refused, infer.ErrUnavailable) {
			b.Fatalf("%s, %v: %v, but the interpreter has %v", f, rounding, refused, err)
		}
		return
	}
	if refused != nil {
		b.Fatalf("%s, %v: %v", f, rounding, refused)
	}
	defer p.close()
	next := func() { // another input each time, lest a thread find what it should have waited for where it was before
		in, data := b.input(g.Inputs[0].Type)
		if _, err := m.Run(data); err != nil {
			b.Fatal(err)
		}
		p.in.load(in)
	}
	check := func(got *buffer, v *graph.Value) {
		if i := firstDifference(got.elements(), want[v]); i >= 0 {
			b.Fatalf("%s, %v: byte %d of %q is %d, want %d\n%s", f, rounding, i, v.Name, got.elements()[i], want[v][i], g)
		}
	}
	next()
	for _, s := range p.steps {
		for i := range s.out.data {
			s.out.data[i] = byte(b.r.Uint32())
		}
		for _, ph := range s.work {
			p.inTurn([][]*phase{{ph}}, 0)
		}
		check(s.out, s.value)
	}
	for first := range p.threads() {
		next()
		p.inTurn(p.phases, first)
		check(p.out, g.Outputs[0])
	}
	next()
	p.run()
	check(p.out, g.Outputs[0])
}

// watched is the interpreter for g, and where each of its runs leaves the values' elements, little-endian.
func watched(t interface{ Fatal(...any) }, g *graph.Graph, rounding quant.Rounding) (*interp.Machine, map[*graph.Value][]byte, error) {
	seen := map[*graph.Value][]byte{}
	m, err := interp.New(g, interp.Options{Rounding: rounding, Tap: func(v *graph.Value, data any) {
		b, err := binary.Append(nil, binary.LittleEndian, data)
		if err != nil {
			t.Fatal(err)
		}
		seen[v] = b
	}})
	return m, seen, err
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// builder draws graphs: their structure by rapid, which can shrink it, their numbers by r.
type builder struct {
	*rapid.T
	r          *rand.Rand
	guardBegin bool
}

func (b *builder) int(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(b.T, name) }
func (b *builder) bool(name string) bool           { return rapid.Bool().Draw(b.T, name) }

func (b *builder) seed() {
	if b.r == nil {
		b.r = rand.New(rand.NewPCG(rapid.Uint64().Draw(b.T, "seed"), 1))
		b.guardBegin = b.bool("guards before")
	}
}

// channels are often what kernels like, or next to it.
func (b *builder) channels(name string) int {
	if b.bool(name + " odd") {
		return b.int(name, 1, 70)
	}
	return rapid.SampledFrom([]int{3, 4, 16, 32, 48, 64, 96, 128, 160}).Draw(b.T, name)
}

// zero is a zero point, often at an end.
func (b *builder) zero(name string) int32 {
	return rapid.OneOf(rapid.SampledFrom([]int32{-128, -127, 0, 127}), rapid.Int32Range(-128, 127)).Draw(b.T, name)
}

func (b *builder) scale(name string) float32 {
	return float32(math.Exp(rapid.Float64Range(-8, 0).Draw(b.T, name)))
}

// like is a quantization whose scale is x's times e^lo to e^hi.
func (b *builder) like(x *graph.Value, name string, lo, hi float64) *quant.Params {
	ratio := math.Exp(rapid.Float64Range(lo, hi).Draw(b.T, name+" ratio"))
	return quant.PerTensor(x.Type.Quant.Scale[0]*float32(ratio), b.zero(name+" zero"))
}

func (b *builder) params(name string) *quant.Params {
	return quant.PerTensor(b.scale(name+" scale"), b.zero(name+" zero"))
}

func (b *builder) graph(shape ...int) (*graph.Graph, *graph.Value) {
	g := graph.New("random")
	g.Level = graph.Quantized
	return g, g.Input("x", graph.Type{DType: graph.Int8, Shape: shape, Quant: b.params("x")})
}

func (b *builder) act() graph.Activation {
	return rapid.SampledFrom([]graph.Activation{graph.Linear, graph.ReLU, graph.ReLU6}).Draw(b.T, "activation")
}

func (b *builder) window(most int) graph.Window {
	stride := rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3, 9})
	w := graph.Window{
		Stride:   [2]int{stride.Draw(b.T, "stride y"), stride.Draw(b.T, "stride x")},
		Dilation: [2]int{b.int("dilation y", 1, most), b.int("dilation x", 1, most)},
	}
	if b.bool("valid") {
		w.Padding = graph.Valid
	}
	return w
}

// surround may put a Pad before x's reader, of any size on each side, so that windows may lie wholly outside.
func (b *builder) surround(g *graph.Graph, x *graph.Value) *graph.Value {
	if !b.bool("pad") {
		return x
	}
	pad := graph.Pad{
		Before: []int{0, b.int("top", 0, 4), b.int("left", 0, 4), 0},
		After:  []int{0, b.int("bottom", 0, 4), b.int("right", 0, 4), 0},
	}
	q := x.Type.Quant
	x = g.Apply("pad", pad, x)
	x.Type.Quant = q
	return x
}

// layer ends g with op, whose weights have the shape given and terms of which make up a sum.
func (b *builder) layer(g *graph.Graph, op graph.Op, x *graph.Value, shape []int, terms int) *graph.Graph {
	b.seed()
	spread := 73 * 73 * math.Sqrt(float64(terms)) // about the deviation of the sums
	l := graphtest.Layer{Op: op, Shape: shape, Scale: make([]float32, 1),
		Weight: func(int) int8 { return int8(b.r.IntN(256) - 128) }, Bias: func(int) int32 { return int32(spread * b.r.NormFloat64()) }}
	if b.bool("per channel") {
		l.Scale = make([]float32, l.Channels())
	}
	for c := range l.Scale {
		l.Scale[c] = float32(math.Exp(b.r.NormFloat64()/2)) / 100
	}
	y := l.Apply(g, "y", x)
	// The spread in steps of the output: mostly within its 256, sometimes nothing or far beyond.
	steps := rapid.SampledFrom([]float64{60, 60, 60, 3, 1e4, 1e10}).Draw(b.T, "spread")
	y.Type.Quant = quant.PerTensor(max(float32(float64(y.Def.In[2].Type.Quant.Scale[0])*spread/steps), 1e-30), b.zero("y zero"))
	g.Outputs = []*graph.Value{y}
	return g
}

// fit is a size of x for which a window of k taps has at least one place.
func fit(w graph.Window, axis, k, size int) int { return size + (k-1)*w.Dilation[axis] }

func (b *builder) conv() *graph.Graph {
	w := b.window(2)
	kh, kw := b.int("kernel y", 1, 4), b.int("kernel x", 1, 4)
	depth, groups := b.int("depth", 1, 20), rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(b.T, "groups")
	oc := b.int("out a group", 1, 40) * groups
	g, x := b.graph(b.int("n", 1, 2), fit(w, 0, kh, b.int("height", 1, 8)), fit(w, 1, kw, b.int("width", 1, 8)), depth*groups)
	x = b.surround(g, x)
	return b.layer(g, graph.Conv2D{Window: w, Act: b.act()}, x, []int{oc, kh, kw, depth}, kh*kw*depth)
}

func (b *builder) pointwise() *graph.Graph {
	w := graph.Dense(b.int("stride", 1, 2), graph.Same)
	c, oc := b.channels("in"), b.channels("out")
	g, x := b.graph(b.int("n", 1, 2), b.int("height", 1, 6), b.int("width", 1, 6), c)
	return b.layer(g, graph.Conv2D{Window: w, Act: b.act()}, x, []int{oc, 1, 1, c}, c)
}

func (b *builder) depthwise() *graph.Graph {
	w := b.window(2)
	kh, kw, c := b.int("kernel y", 1, 5), b.int("kernel x", 1, 5), b.channels("channels")
	oc := c * b.int("multiplier", 1, 3)
	g, x := b.graph(b.int("n", 1, 2), fit(w, 0, kh, b.int("height", 1, 8)), fit(w, 1, kw, b.int("width", 1, 8)), c)
	x = b.surround(g, x)
	return b.layer(g, graph.DepthwiseConv2D{Window: w, Act: b.act()}, x, []int{1, kh, kw, oc}, kh*kw)
}

func (b *builder) depthwise3x3() *graph.Graph {
	w := b.window(1)
	c := b.channels("channels")
	g, x := b.graph(b.int("n", 1, 2), fit(w, 0, 3, b.int("height", 1, 8)), fit(w, 1, 3, b.int("width", 1, 8)), c)
	x = b.surround(g, x)
	return b.layer(g, graph.DepthwiseConv2D{Window: w, Act: b.act()}, x, []int{1, 3, 3, c}, 9)
}

func (b *builder) fully() *graph.Graph {
	c, oc, n := b.channels("in"), b.channels("out"), b.int("n", 1, 10)
	shape := []int{n, c}
	if b.bool("flatten") {
		shape = []int{1, c, n}
	}
	g, x := b.graph(shape...)
	return b.layer(g, graph.FullyConnected{Act: b.act()}, x, []int{oc, c}, c)
}

func (b *builder) shape() []int {
	shape := make([]int, b.int("rank", 1, 4))
	for i := range shape {
		shape[i] = b.int("dimension", 1, 6)
	}
	if b.bool("many channels") {
		shape[len(shape)-1] = b.channels("channels")
	}
	return shape
}

func (b *builder) mean() *graph.Graph {
	shape := b.shape()
	g, x := b.graph(shape...)
	op := graph.Mean{KeepDims: b.bool("keep")}
	for i := range shape {
		if b.bool("axis") {
			op.Axes = append(op.Axes, i)
		}
	}
	if len(op.Axes) == 0 {
		op.Axes = []int{len(shape) - 1}
	}
	y := g.Apply("mean", op, x)
	y.Type.Quant = b.like(x, "y", -2, 1)
	g.Outputs = []*graph.Value{y}
	return g
}

// elements is a chain: float32 to int8, to other types and back, padded, reshaped, limited, to float32.
func (b *builder) elements() *graph.Graph {
	g := graph.New("random")
	g.Level = graph.Quantized
	x := g.Input("x", graphtest.Floats(b.shape()...))
	to := func(d graph.DType) {
		x = g.Apply("to "+d.String(), graph.Quantize{To: d}, x)
		lo, hi := d.Limits()
		x.Type.Quant = quant.PerTensor(b.scale("scale"), rapid.Int32Range(lo, hi).Draw(b.T, "zero"))
	}
	for range b.int("conversions", 0, 3) {
		types := []graph.DType{graph.Int8, graph.Int16, graph.UInt8}
		if x.Type.DType == graph.Int16 {
			types = types[:2] // no runtime makes uint8 of it
		}
		to(rapid.SampledFrom(types).Draw(b.T, "type"))
	}
	to(graph.Int8)
	q := x.Type.Quant
	var pad graph.Pad
	for range x.Type.Shape {
		pad.Before, pad.After = append(pad.Before, b.int("before", 0, 2)), append(pad.After, b.int("after", 0, 2))
	}
	x = g.Apply("pad", pad, x)
	x.Type.Quant = q
	n := x.Type.Elements()
	divisor := 1
	for d := range 8 {
		if n%(d+1) == 0 && b.bool("divisor") {
			divisor = d + 1
		}
	}
	x = g.Apply("reshape", graph.Reshape{Shape: []int{divisor, n / divisor}}, x)
	x.Type.Quant = q
	x = g.Apply("activate", graph.Activate{Act: b.act()}, x)
	x.Type.Quant = b.params("activated")
	to(rapid.SampledFrom([]graph.DType{graph.Int8, graph.UInt8, graph.Int16}).Draw(b.T, "type"))
	g.Outputs = []*graph.Value{g.Apply("y", graph.Dequantize{}, x)}
	return g
}

// sum is Arithmetic of two tensors, which may differ in what is repeated, one of them a chain away from the input.
func (b *builder) sum() *graph.Graph {
	shape := b.shape()
	g, x := b.graph(shape...)
	two := g.Apply("two", graph.Quantize{To: graph.Int8}, x)
	two.Type.Quant = b.like(x, "two", -1, 1)
	in := []*graph.Value{two, x}
	if b.bool("swapped") {
		in = []*graph.Value{x, two}
	}
	fn := rapid.SampledFrom([]graph.BinaryFunc{graph.Add, graph.Add, graph.Sub, graph.Mul}).Draw(b.T, "function")
	y := g.Apply("y", graph.Arithmetic{Fn: fn, Act: b.act()}, in...)
	y.Type.Quant = b.like(x, "y", -5, 7)
	g.Outputs = []*graph.Value{y}
	return g
}

// repeated is Arithmetic of a tensor and one that is repeated along some axes, a constant or not.
func (b *builder) repeated() *graph.Graph {
	shape := b.shape()
	g, x := b.graph(shape...)
	fn := rapid.SampledFrom([]graph.BinaryFunc{graph.Add, graph.Sub, graph.Mul}).Draw(b.T, "function")
	var two *graph.Value
	if b.bool("constant") {
		b.seed()
		from := slices.Clone(shape[b.int("missing", 0, len(shape)):])
		for i := range from {
			if b.bool("repeated") {
				from[i] = 1
			}
		}
		t := graph.Type{DType: graph.Int8, Shape: from, Quant: b.like(x, "two", -1, 1)}
		data := make([]int8, t.Elements())
		for i := range data {
			data[i] = int8(b.r.IntN(256) - 128)
		}
		two = graph.Const("two", t, data)
	} else {
		op := graph.Mean{KeepDims: true}
		for i := range shape {
			if b.bool("repeated") {
				op.Axes = append(op.Axes, i)
			}
		}
		if op.Axes == nil {
			op.Axes = []int{0}
		}
		two = g.Apply("two", op, x)
		two.Type.Quant = b.like(x, "two", -1, 1)
	}
	in := []*graph.Value{two, x}
	if b.bool("swapped") {
		in = []*graph.Value{x, two}
	}
	y := g.Apply("y", graph.Arithmetic{Fn: fn, Act: b.act()}, in...)
	y.Type.Quant = b.like(x, "y", -5, 7)
	g.Outputs = []*graph.Value{y}
	return g
}

func (b *builder) unary() *graph.Graph {
	g, x := b.graph(b.shape()...)
	y := g.Apply("swish", graph.Unary{Fn: graph.HardSwish}, x)
	y.Type.Quant = b.like(x, "swish", 0, 1)
	y = g.Apply("y", graph.Unary{Fn: graph.Logistic}, y)
	y.Type.Quant = quant.PerTensor(1./256, quant.Int8Min)
	g.Outputs = []*graph.Value{y}
	return g
}

// slide is a convolution of few channels by a filter three pixels wide.
func (b *builder) slide() *graph.Graph {
	w := graph.Dense(1, graph.Same)
	w.Stride[0], w.Dilation[0] = b.int("stride y", 1, 2), 1
	if b.bool("valid") {
		w.Padding = graph.Valid
	}
	kh, c, oc := b.int("kernel y", 1, 4), b.int("channels", 1, 20), b.int("out", 1, 50)
	g, x := b.graph(b.int("n", 1, 2), fit(w, 0, kh, b.int("height", 1, 4)), b.int("width", 8, 40), c)
	x = b.surround(g, x)
	return b.layer(g, graph.Conv2D{Window: w, Act: b.act()}, x, []int{oc, kh, 3, c}, kh*3*c)
}

func (b *builder) pool() *graph.Graph {
	op := graph.Pool{Window: b.window(1), Size: [2]int{b.int("size y", 1, 4), b.int("size x", 1, 4)}, Act: b.act()}
	if b.bool("max") {
		op.Fn = graph.Max
	}
	g, x := b.graph(b.int("n", 1, 2), b.int("height", 4, 8), b.int("width", 4, 8), b.channels("channels"))
	y := g.Apply("y", op, x)
	y.Type.Quant = x.Type.Quant
	g.Outputs = []*graph.Value{y}
	return g
}

// input is a random tensor, as bytes and as a slice.
func (b *builder) input(t graph.Type) ([]byte, any) {
	if t.DType == graph.Int8 {
		in, data := make([]byte, t.Elements()), make([]int8, t.Elements())
		for i := range in {
			in[i] = byte(b.r.Uint32())
			data[i] = int8(in[i])
		}
		return in, data
	}
	var in []byte
	data := make([]float32, t.Elements())
	for i := range data {
		data[i] = float32(b.r.NormFloat64() * math.Exp(3*b.r.NormFloat64()))
		if b.r.IntN(50) == 0 {
			data[i] = [...]float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0.5, -0.5}[b.r.IntN(5)]
		}
		in = binary.LittleEndian.AppendUint32(in, math.Float32bits(data[i]))
	}
	return in, data
}
