package tflite

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/quant"
)

// A file whose end the graph has no forms for is read as a head and a tail, and both together are written as the same file.
func TestDecodeHead(t *testing.T) {
	g, tail, err := DecodeHead(read(t, "tf_tail"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `functional_1/lambda_1/Cumsum float32[1 5] = CUMSUM(output 0, arith.constant int32[])
functional_1/lambda_1/mul float32[1 5] = MUL(functional_1/lambda_1/Cumsum float32[1 5], functional_1/lambda_1/mul/x float32[])
functional_1/lambda_1/Greater bool[1 5] = GREATER(output 0, functional_1/lambda_1/Greater/y float32[])
functional_1/lambda_1/SelectV2 float32[1 5] = SELECT_V2(functional_1/lambda_1/Greater bool[1 5], output 0, functional_1/lambda_1/mul float32[1 5])
`
	if got := tail.String(); !strings.HasPrefix(got, want) {
		t.Errorf("tail\n%s", got)
	}
	if ops := tail.Operators(); len(ops) != 17 || ops[0] != "CUMSUM" || ops[16] != "ARG_MAX" {
		t.Errorf("operators %q", ops)
	}
	if len(g.Nodes) != 5 || len(g.Outputs) != 1 || g.Outputs[0].Name != "StatefulPartitionedCall_1:0" {
		t.Errorf("head\n%v", g)
	}
	again(t, g, tail)
}

// rewritten is a head and its tail in a file, and read from it.
func rewritten(t testing.TB, g *graph.Graph, tail *Tail) (b []byte, head *graph.Graph, back *Tail) {
	t.Helper()
	b, err := tail.Encode(g)
	if err == nil {
		head, back, err = DecodeHead(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b, head, back
}

// again writes a head and its tail, and reads them as they were.
func again(t testing.TB, g *graph.Graph, tail *Tail) {
	t.Helper()
	b, head, back := rewritten(t, g, tail)
	if head.String() != g.String() {
		t.Fatalf("head\n%v\nwas\n%v", head, g)
	}
	if back.String() != tail.String() || older(back.runtime, tail.runtime) {
		t.Fatalf("tail for %q\n%v\nwas for %q\n%v", back.runtime, back, tail.runtime, tail)
	}
	if second, err := back.Encode(head); err != nil || !bytes.Equal(b, second) {
		t.Fatalf("encodes to another file, error %v:\n%v\n%v\nthan\n%v\n%v", err, head, back, g, tail)
	}
}

// What Decode takes has no tail.
func TestDecodeHeadOfAll(t *testing.T) {
	for _, b := range seeds(t) {
		g, err := Decode(b)
		head, tail, errHead := DecodeHead(b)
		if tail == nil && (err != nil || errHead != nil || head.String() != g.String()) {
			t.Errorf("without a tail: error %v, Decode %v", errHead, err)
		}
		if tail != nil && !errors.Is(err, ErrUnsupported) {
			t.Errorf("a tail of %q where Decode says %v", tail.Operators(), err)
		}
	}
}

// custom makes an operator a custom one, with options.
func (p parts) custom(i int) {
	codes := append(p.model[modelOperatorCodes].([]obj), obj{
		codeDeprecated: int8(opCustom), codeBuiltin: int32(opCustom), codeCustom: "Mine", codeVersion: int32(4),
	})
	p.model[modelOperatorCodes] = codes
	o := p.operators[i]
	p.operators[i] = obj{uint32(len(codes) - 1), o[operatorInputs], o[operatorOutputs], uint8(0), nil, blob("options"), int8(0)}
}

// What is left of the float network, whose operators are PAD, CONV_2D, two DEPTHWISE_CONV_2D, CONV_2D, RELU, RELU6, MEAN,
// RESHAPE and two FULLY_CONNECTED, when one of them is known to nobody.
func TestTails(t *testing.T) {
	const mine = `custom operator "Mine"`
	for _, c := range []struct {
		name    string
		change  func(p parts)
		outputs []string // of the head
		tail    []string
		given   int
	}{
		{"at the end", func(p parts) { p.custom(10) }, []string{"fc"}, []string{mine}, 0},
		{"before others", func(p parts) { p.custom(7) }, []string{"relu6"}, []string{mine, "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED"}, 0},
		{"reading the input too, and nothing", func(p parts) {
			p.custom(10)
			p.operators[10][operatorInputs] = append([]int32{-1, 0}, p.operators[10][operatorInputs].([]int32)...)
		}, []string{"image", "fc"}, []string{mine}, 0},
		{"behind an output", func(p parts) {
			p.custom(10)
			p.subgraph[subgraphOutputs] = []int32{p.subgraph[subgraphOutputs].([]int32)[0], 5}
		}, []string{"stem", "fc"}, []string{mine}, 1},
		{"reading weights often, and a shape of nothing", func(p parts) {
			p.custom(10)
			w := int32(slices.IndexFunc(p.tensors, func(o obj) bool { return o[tensorName] == "stem/w" }))
			p.operators[10][operatorInputs] = append(slices.Repeat([]int32{w}, 100), int32(len(p.tensors)), p.operators[10][operatorInputs].([]int32)[0])
			p.subgraph[subgraphTensors] = append(p.tensors, obj{tensorShape: []int32{0}, tensorType: int8(2), tensorName: "none"})
		}, []string{"fc"}, []string{mine}, 0},
		{"reading a shape", func(p parts) { // computed in the file, a constant here
			p.custom(10)
			shape := append(slices.Clone(p.operators[7]), nil)[:operatorOptions]
			codes := append(p.model[modelOperatorCodes].([]obj), obj{int8(opShape), "", int32(1), int32(opShape)})
			p.model[modelOperatorCodes] = codes
			shape[operatorCode], shape[operatorInputs], shape[operatorOutputs], shape[operatorOptionsType] = uint32(len(codes)-1), []int32{2}, []int32{int32(len(p.tensors))}, uint8(0)
			p.operators[10][operatorInputs] = append([]int32{int32(len(p.tensors))}, p.operators[10][operatorInputs].([]int32)...)
			p.operators = slices.Insert(p.operators, 10, obj(shape))
			p.tensors = append(p.tensors, obj{tensorShape: []int32{4}, tensorType: int8(2), tensorName: "shape"})
			p.subgraph[subgraphOperators], p.subgraph[subgraphTensors] = p.operators, p.tensors
		}, []string{"fc"}, []string{mine}, 0},
	} {
		p := taken(t, floatNet())
		c.change(p)
		b := finish(p.model, modelID, 0)
		_, refusal := Decode(b)
		if !errors.Is(refusal, ErrUnsupported) {
			t.Errorf("%s: Decode says %v", c.name, refusal)
		}
		g, tail, err := DecodeHead(b)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := tail.Refusal(); got.Error() != refusal.Error() || !errors.Is(got, ErrUnsupported) {
			t.Errorf("%s: the tail says %v, Decode %v", c.name, got, refusal)
		}
		var outputs []string
		for _, v := range g.Outputs {
			outputs = append(outputs, v.Name)
		}
		if !slices.Equal(outputs, c.outputs) || !slices.Equal(tail.Operators(), c.tail) || tail.Given() != c.given {
			t.Errorf("%s: a head giving %q, %d of them the file's, then %q", c.name, outputs, tail.Given(), tail.Operators())
		}
		if f := tail.operators[0]; f.version != 4 || string(f.blob) != "options" {
			t.Errorf("%s: version %d, options %q", c.name, f.version, f.blob)
		}
		again(t, g, tail)
	}
}

// Names of the head's outputs, such as convert keeps where it renames tensors, are no names of the file's.
func TestTailKeepsNames(t *testing.T) {
	p := taken(t, floatNet())
	p.custom(10)
	g, tail, err := DecodeHead(finish(p.model, modelID, 0))
	if err != nil {
		t.Fatal(err)
	}
	g.Meta.Signature.Outputs = []string{"fc"}
	b, err := tail.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	if g, _, err = DecodeHead(b); err != nil || g.Meta.Signature.Outputs != nil {
		t.Errorf("the file's output is called %q, error %v", g.Meta.Signature.Outputs, err)
	}
}

// What a tail reads in float32 comes out of a DEQUANTIZE where the head is of integers; what the file gives stays as it is.
func TestTailOfIntegers(t *testing.T) {
	p := taken(t, floatNet())
	p.custom(10)
	p.subgraph[subgraphOutputs] = []int32{p.operators[10][operatorInputs].([]int32)[0], p.subgraph[subgraphOutputs].([]int32)[0]}
	_, tail, err := DecodeHead(finish(p.model, modelID, 0))
	if err != nil {
		t.Fatal(err)
	}
	g := int8Net()
	g.Outputs = []*graph.Value{g.Nodes[len(g.Nodes)-2].In[0]} // fc, int8[1,4]
	_, head, back := rewritten(t, g, tail)
	if len(head.Outputs) != 2 || head.Outputs[0].Type.DType != graph.Int8 || head.Outputs[1].Type.DType != graph.Float32 ||
		head.Outputs[1].Def.Op != graph.Op(graph.Dequantize{}) || head.Outputs[1].Def.In[0] != head.Outputs[0] {
		t.Errorf("head\n%v", head)
	}
	if want := strings.ReplaceAll(tail.String(), "output 0", "output 1"); back.String() != want {
		t.Errorf("tail\n%v\nwant\n%v", back, want)
	}
	g.Outputs[0] = g.Nodes[0].Out
	if _, err := tail.Encode(g); err == nil {
		t.Error("a head of another shape was taken")
	}
	g.Outputs = nil
	if _, err := tail.Encode(g); err == nil {
		t.Error("a head without outputs was taken")
	}
}

// What can't be carried from one file to another is refused, and so is what could not run.
func TestTailRefuses(t *testing.T) {
	for _, c := range []struct {
		want  string
		spoil func(p parts)
	}{
		{`operator 0: custom operator "Mine": outside the supported set`, func(p parts) { p.custom(0) }},
		{`operator 10: custom operator "Mine": outside the supported set`, func(p parts) { p.operators[10][operatorInputs] = []int32{0} }},
		{"output 0: tensor 99 of", func(p parts) { p.operators[10][operatorOutputs] = []int32{99} }},
		{"input 1: tensor -2 of", func(p parts) { p.operators[10][operatorInputs] = []int32{2, -2} }},
		{"given twice", func(p parts) { p.operators[10][operatorOutputs] = []int32{2} }},
		{"used before an operator gives it", func(p parts) { p.operators[10][operatorInputs] = p.operators[10][operatorOutputs] }},
		{"options of kind 92", func(p parts) {
			p.operators[10][operatorOptionsType], p.operators[10][operatorOptions] = uint8(92), obj{}
		}},
		{"options of kind 127", func(p parts) {
			p.operators[10][operatorOptionsType], p.operators[10][operatorOptions] = uint8(127), obj{}
		}},
		{"with state", func(p parts) { p.operators[10] = append(p.operators[10], blob{0, 1}) }},
		{"with state", func(p parts) { p.operators[10] = append(p.operators[10], nil, []int32{3}) }},
		{"options outside", func(p parts) { p.operators[10] = append(p.operators[10], nil, nil, raw64(8)) }},
		{"options outside", func(p parts) { p.operators[10] = append(p.operators[10], nil, nil, nil, nil, uint8(3)) }},
		{"a variable, sparse or external tensor", func(p parts) {
			last := p.tensors[p.operators[10][operatorOutputs].([]int32)[0]]
			last[tensorVariable] = true
		}},
		{"output: tensor 3 \"stem/w\" is a constant", func(p parts) { p.subgraph[subgraphOutputs] = []int32{3} }},
	} {
		p := taken(t, floatNet())
		if p.custom(10); strings.Contains(c.want, "constant") {
			p = taken(t, floatNet())
		}
		c.spoil(p)
		g, tail, err := DecodeHead(finish(p.model, modelID, 0))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) || g != nil || tail != nil {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// An operator on integers that a graph has a form for as float32 alone is left like one that nobody knows, what comes before it runs.
func TestTailOfFormless(t *testing.T) {
	for name, c := range map[string]struct {
		code    int32
		kind    uint8
		options obj
		quant   *quant.Params
	}{
		"LEAKY_RELU": {opLeakyReLU, 75, obj{float32(0.1)}, quant.PerTensor(0.05, 3)},
		"TANH":       {opTanh, 0, nil, quant.PerTensor(1./128, 0)},
		"ABS":        {opAbs, 78, obj{}, quant.PerTensor(0.05, 3)},
	} {
		g := graph.New("s")
		g.Level = graph.Quantized
		x := g.Input("x", graphtest.Ints(graph.Int8, 0.05, 3, 1, 8))
		r := g.Apply("r", graph.Activate{Act: graph.ReLU6}, x)
		r.Type.Quant = x.Type.Quant
		y := g.Apply("y", graph.Activate{Act: graph.ReLU}, r) // another operator's place
		y.Type.Quant = c.quant
		g.Outputs = []*graph.Value{y}
		p := taken(t, g)
		for _, o := range p.model[modelOperatorCodes].([]obj) {
			if o[codeBuiltin] == int32(opReLU) {
				o[codeBuiltin], o[codeDeprecated], o[codeVersion] = c.code, int8(min(c.code, 127)), int32(2)
			}
		}
		p.operators[1] = append(p.operators[1][:3:3], c.kind, c.options)
		p.subgraph[subgraphOperators] = p.operators
		b := finish(p.model, modelID, 0)
		if _, err := Decode(b); !errors.Is(err, ErrUnsupported) || !errors.Is(err, graph.ErrNoIntegerForm) {
			t.Errorf("%s: %v, want ErrUnsupported", name, err)
		}
		head, tail, err := DecodeHead(b)
		if err != nil || tail == nil || !slices.Equal(tail.Operators(), []string{name}) || len(head.Nodes) != 1 {
			t.Errorf("%s: head %v, tail %v, error %v", name, head, tail, err)
		}
	}
}
