package tflite

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
)

// parts is a model before it is written, with its pieces at hand.
type parts struct {
	model, subgraph             obj
	tensors, operators, buffers []obj
}

func taken(t testing.TB, g *graph.Graph) parts {
	t.Helper()
	e := &encoder{buffers: []obj{{}}, index: map[*graph.Value]int32{}, version: map[operatorVersion]uint32{}, runtime: "1.5.0"}
	m, err := e.model(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := m[modelSubgraphs].([]obj)[0]
	return parts{m, s, s[subgraphTensors].([]obj), s[subgraphOperators].([]obj), m[modelBuffers].([]obj)}
}

// tensor is the tensor of a name.
func (p parts) tensor(name string) obj {
	return p.tensors[slices.IndexFunc(p.tensors, func(o obj) bool { return o[tensorName] == name })]
}

// data is the buffer of a tensor.
func (p parts) data(name string) obj { return p.buffers[p.tensor(name)[tensorBuffer].(uint32)] }

func (p parts) quant(name string) obj { return p.tensor(name)[tensorQuantization].(obj) }

// options of operator i.
func (p parts) options(i int) obj { return p.operators[i][operatorOptions].(obj) }

// codeOf is the builtin operator of operator i.
func (p parts) codeOf(i int) int32 {
	codes := p.model[modelOperatorCodes].([]obj)
	return codes[p.operators[i][operatorCode].(uint32)][codeBuiltin].(int32)
}

func (p parts) code(i int32) obj {
	codes := p.model[modelOperatorCodes].([]obj)
	return codes[slices.IndexFunc(codes, func(o obj) bool { return o[codeBuiltin] == i })]
}

// Models that are well-formed as flatbuffers and wrong as models. In the float network operator 0 is PAD and 1 CONV_2D.
func TestDecodeRefuses(t *testing.T) {
	const opLSTM = 16 // which a graph has no form for
	for _, c := range []struct {
		want  string
		spoil func(p parts)
	}{
		{"schema version 4", func(p parts) { p.model[modelVersion] = uint32(4) }},
		{"2 subgraphs", func(p parts) { p.model[modelSubgraphs] = []obj{p.subgraph, p.subgraph} }},
		{"0 subgraphs", func(p parts) { p.model[modelSubgraphs] = nil }},
		{`"image": used before`, func(p parts) { p.subgraph[subgraphInputs] = nil }},
		{"input: tensor 1000 of", func(p parts) { p.subgraph[subgraphInputs] = []int32{1000} }},
		{"given twice", func(p parts) { p.subgraph[subgraphInputs] = []int32{0, 0} }},
		{"has data, but is no constant", func(p parts) { p.tensor("image")[tensorBuffer] = uint32(1) }},
		{"output: tensor -1 of", func(p parts) { p.subgraph[subgraphOutputs] = []int32{-1} }},
		{"is a constant", func(p parts) { p.subgraph[subgraphOutputs] = []int32{1} }},
		{`tensor 23 "fc": used before an operator gives it`, func(p parts) { slices.Reverse(p.operators) }},
		{`operator 1 CONV_2D giving tensor 5 "stem": input 0: tensor 77 of`, func(p parts) {
			p.operators[1][operatorInputs] = []int32{77, 3, 4}
		}},
		{`input 1: tensor -1 of`, func(p parts) { p.operators[1][operatorInputs] = []int32{2, -1, 4} }},
		{"0 inputs and 1 outputs", func(p parts) { p.operators[1][operatorInputs] = nil }},
		{"1 inputs and 2 outputs", func(p parts) {
			p.operators[1][operatorInputs], p.operators[1][operatorOutputs] = []int32{2}, []int32{5, 8}
		}},
		{`output: tensor 2 "pad": given twice`, func(p parts) { p.operators[1][operatorOutputs] = []int32{2} }},
		{"operator code 99 of", func(p parts) { p.operators[1][operatorCode] = uint32(99) }},
		{`operator 1 LSTM giving tensor 5 "stem": outside the supported set`, func(p parts) {
			p.code(opConv2D)[codeDeprecated], p.code(opConv2D)[codeBuiltin] = int8(opLSTM), int32(opLSTM)
		}},
		{`operator 1 SOFTMAX giving tensor 5 "stem": options of kind 1: want 9`, func(p parts) {
			p.code(opConv2D)[codeDeprecated], p.code(opConv2D)[codeBuiltin] = int8(opSoftmax), int32(opSoftmax)
		}},
		{`operator 1 SHAPE giving tensor 5 "stem": 3 inputs: want 1`, func(p parts) {
			p.code(opConv2D)[codeDeprecated], p.code(opConv2D)[codeBuiltin] = int8(opShape), int32(opShape)
		}},
		{`operator 1 STRIDED_SLICE giving tensor 5 "stem": 3 inputs: want 4`, func(p parts) {
			p.code(opConv2D)[codeDeprecated], p.code(opConv2D)[codeBuiltin] = int8(opStridedSlice), int32(opStridedSlice)
			p.operators[1][operatorOptionsType] = uint8(0)
		}},
		{`operator 1 PACK giving tensor 5 "stem": not a constant of integers`, func(p parts) {
			p.code(opConv2D)[codeDeprecated], p.code(opConv2D)[codeBuiltin] = int8(opPack), int32(opPack)
			p.tensor("stem")[tensorType] = int8(2)
		}},
		{`operator 1 PACK giving tensor 5 "stem": [6] beside [1 10 10 3]`, func(p parts) {
			p.code(opConv2D)[codeDeprecated], p.code(opConv2D)[codeBuiltin] = int8(opPack), int32(opPack)
			p.operators[1][operatorOptionsType] = uint8(0)
		}},
		{`input: tensor 0 "image": dynamic shape [1 -1 -1 3]`, func(p parts) {
			p.tensor("image")[tensorSignature] = []int32{1, -1, -1, 3}
		}},
		{"operator 1 BuiltinOperator(200) giving", func(p parts) {
			p.code(opConv2D)[codeDeprecated], p.code(opConv2D)[codeBuiltin] = int8(127), int32(200)
		}},
		{`custom operator "Mine"`, func(p parts) {
			p.code(opConv2D)[codeDeprecated], p.code(opConv2D)[codeBuiltin], p.code(opConv2D)[codeCustom] = int8(opCustom), int32(opCustom), "Mine"
		}},
		{"options of kind 2: want 1", func(p parts) { p.operators[1][operatorOptionsType] = uint8(2) }},
		{"stride [0 0]", func(p parts) { p.operators[1][operatorOptionsType] = uint8(0) }},
		{"input 2: tensor -1 of", func(p parts) { p.operators[1][operatorInputs].([]int32)[2] = -1 }},
		{`giving tensor 20 "flat": input 1: tensor -1 of`, func(p parts) { p.operators[8][operatorInputs].([]int32)[1] = -1 }},
		{"stride [0 2]", func(p parts) { p.options(1)[windowStrideH] = int32(0) }},
		{"dilation [1 -1]", func(p parts) { p.options(1)[convDilationW] = int32(-1) }},
		{"padding 2", func(p parts) { p.options(1)[windowPadding] = int8(2) }},
		{"fused activation 4", func(p parts) { p.options(1)[convActivation] = int8(4) }},
		{"weights format 1", func(p parts) {
			dense := p.operators[len(p.operators)-1]
			dense[operatorOptions] = obj{denseFormat: int8(1)}
		}},
		{`"unbiased" is float32[1 3], inferred float32[48 3]`, func(p parts) { p.operators[len(p.operators)-1][operatorInputs].([]int32)[0] = 0 }},
		{"elements of BFLOAT16", func(p parts) { p.tensor("stem/w")[tensorType] = int8(18) }},
		{"elements of TensorType(-3)", func(p parts) { p.tensor("stem/w")[tensorType] = int8(-3) }},
		{"variable, sparse or external", func(p parts) { p.tensor("stem/w")[tensorVariable] = true }},
		{`tensor 3 "stem/w": 647 bytes of data for float32[6,3,3,3]`, func(p parts) {
			p.data("stem/w")[bufferData] = blob(make([]byte, 647))
		}},
		{"buffer 4000000000 of", func(p parts) { p.tensor("stem/w")[tensorBuffer] = uint32(4e9) }},
		{"shape [6 3 3 0]", func(p parts) { p.tensor("stem/w")[tensorShape] = []int32{6, 3, 3, 0} }},
		{"shape [65536 65536 65536 65536]", func(p parts) {
			p.tensor("stem/w")[tensorShape] = []int32{65536, 65536, 65536, 65536}
		}},
		{"9 dimensions", func(p parts) { p.tensor("stem/w")[tensorShape] = make([]int32, 9) }},
		{"inferred float32[1 10 10 3]", func(p parts) { p.tensor("pad")[tensorShape] = []int32{1, 9, 10, 3} }},
		{"paddings: 200 elements", func(p parts) {
			p.tensor("pad/paddings")[tensorShape], p.data("pad/paddings")[bufferData] = []int32{100, 2}, blob(make([]byte, 800))
		}},
		{"paddings: not a constant of integers", func(p parts) { p.tensor("pad/paddings")[tensorType] = int8(0) }},
		{"2 scales and 1 zero", func(p parts) { p.tensor("stem/w")[tensorQuantization] = scales(2, 1, 0) }},
		{"quantization details of kind 2", func(p parts) {
			p.tensor("stem/w")[tensorQuantization] = obj{quantDetails: uint8(2)}
		}},
		{"zero point 1099511627776", func(p parts) {
			p.tensor("pad/paddings")[tensorQuantization] = obj{quantScale: []float32{1}, quantZero: []int64{1 << 40}}
		}},
		{"2 scales along axis 0 of shape [4 2]", func(p parts) {
			p.tensor("pad/paddings")[tensorQuantization] = scales(2, 2, 0)
		}},
		{"2 scales along axis -1", func(p parts) { p.tensor("pad/paddings")[tensorQuantization] = scales(2, 2, -1) }},
		{`metadata "x": buffer 70 of`, func(p parts) {
			p.model[modelMetadata] = []obj{{entryName: "x", entryBuffer: uint32(70)}}
		}},
		{"no name of its own", func(p parts) {
			p.model[modelMetadata] = []obj{{entryName: "x", entryBuffer: uint32(1)}, {entryName: "x", entryBuffer: uint32(1)}}
		}},
		{`metadata "TFLITE_METADATA": at byte 4: file identifier`, func(p parts) {
			p.model[modelMetadata] = []obj{{entryName: infoEntry, entryBuffer: uint32(2)}}
		}},
	} {
		p := taken(t, floatNet())
		c.spoil(p)
		refused(t, finish(p.model, modelID, 0), c.want)
	}
}

func TestDecodeRefusesInteger(t *testing.T) {
	for _, c := range []struct {
		want   string
		labels []string
		spoil  func(p parts)
	}{
		{`giving tensor 18 "fc": weight []`, []string{"a"}, func(p parts) { // weights that are one number, and no bias
			fc := p.operators[slices.IndexFunc(p.operators, func(o obj) bool { return p.tensors[o[operatorOutputs].([]int32)[0]][tensorName] == "fc" })]
			w := p.tensors[fc[operatorInputs].([]int32)[1]]
			w[tensorShape], w[tensorQuantization] = []int32{}, scales(1, 1, 0)
			p.buffers[w[tensorBuffer].(uint32)][bufferData] = blob{1}
			fc[operatorInputs] = fc[operatorInputs].([]int32)[:2]
		}},
		{"weights are not symmetric", []string{"a"}, func(p parts) { p.quant("pw/weight")[quantZero].([]int64)[3] = 1 }},
		{"scale NaN", []string{"a"}, func(p parts) { p.quant("pw/weight")[quantScale].([]float32)[3] = float32(math.NaN()) }},
		{"bias scale 1 of channel 0", []string{"a"}, func(p parts) { p.quant("pw/bias")[quantScale].([]float32)[0] = 1 }},
		{"one scale and zero point", []string{"a"}, func(p parts) { p.tensor("pw")[tensorQuantization] = nil }},
		{"changes the quantization", []string{"a"}, func(p parts) { p.quant("pad")[quantZero] = []int64{5} }},
		{"labels.txt: zip", nil, func(parts) {}}, // the metadata names it
	} {
		p := taken(t, int8Net())
		c.spoil(p)
		b, err := appendLabels(finish(p.model, modelID, 0), c.labels)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, b, c.want)
	}
}

// Operators of the branched network, by the names of their results.
func TestDecodeRefusesBranched(t *testing.T) {
	for _, c := range []struct {
		want  string
		spoil func(p parts, options func(name string) obj)
	}{
		{"fused activation 5", func(p parts, o func(string) obj) { o("add")[arithmeticActivation] = int8(5) }},
		{"outside the supported set", func(p parts, o func(string) obj) { o("concat")[concatActivation] = int8(1) }},
		{"axis 4 of input", func(p parts, o func(string) obj) { o("concat")[concatAxis] = int32(4) }},
		{"axis -1 of input", func(p parts, o func(string) obj) { o("concat")[concatAxis] = int32(-5) }},
		{"window [3 0]", func(p parts, o func(string) obj) { o("average")[poolWidth] = int32(0) }},
		{"padding 3", func(p parts, o func(string) obj) { o("max")[windowPadding] = int8(3) }},
		{"stride [2 -1]", func(p parts, o func(string) obj) { o("max")[windowStrideW] = int32(-1) }},
		{"both align_corners and half_pixel", func(p parts, o func(string) obj) { o("bilinear")[bilinearCorners] = true }},
		{"beta 0", func(p parts, o func(string) obj) { o("softmax")[softmaxBeta] = float32(0) }},
		{"beta NaN", func(p parts, o func(string) obj) { o("softmax")[softmaxBeta] = float32(math.NaN()) }},
		{"beta +Inf", func(p parts, o func(string) obj) { o("softmax")[softmaxBeta] = float32(math.Inf(1)) }},
		{"size [4]", func(p parts, o func(string) obj) {
			p.tensor("nearest/size")[tensorShape], p.data("nearest/size")[bufferData] = []int32{1}, blob{4, 0, 0, 0}
		}},
		{"want sides of 1 to 32768", func(p parts, o func(string) obj) { p.data("nearest/size")[bufferData].(blob)[3] = 1 }},
		{"permutation", func(p parts, o func(string) obj) { p.data("transpose/perm")[bufferData].(blob)[0] = 3 }},
		{"perm: not a constant", func(p parts, o func(string) obj) { p.tensor("transpose/perm")[tensorType] = int8(0) }},
		{"changes the quantization", func(p parts, o func(string) obj) { p.quant("concat")[quantScale].([]float32)[0] = 0.5 }},
		{"want {0.00390625:-128}", func(p parts, o func(string) obj) { p.quant("gate")[quantZero].([]int64)[0] = 0 }},
	} {
		p := taken(t, nets(t)["int8 branched"])
		c.spoil(p, func(name string) obj {
			for _, o := range p.operators {
				if p.tensors[o[operatorOutputs].([]int32)[0]][tensorName] == name {
					options := o[operatorOptions].(obj)
					o[operatorOptions] = append(options, make(obj, 8)...)
					return o[operatorOptions].(obj)
				}
			}
			t.Fatal(name)
			return nil
		})
		refused(t, finish(p.model, modelID, 0), c.want)
	}
}

func scales(n, zeros int, axis int32) obj {
	return obj{quantScale: slices.Repeat([]float32{1}, n), quantZero: make([]int64, zeros), quantAxis: axis}
}

func refused(t *testing.T, b []byte, want string) {
	t.Helper()
	g, err := Decode(b)
	if g != nil || !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v", want, err)
	}
	if outside := strings.Contains(want, "custom") || strings.Contains(want, "outside the"); outside && !errors.Is(err, ErrUnsupported) {
		t.Errorf("%s: not ErrUnsupported", want)
	}
}

// Flatbuffers that are not.
func TestDecodeRefusesBytes(t *testing.T) {
	le := func(words ...uint32) (b []byte) {
		for _, w := range words {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		return b
	}
	id := binary.LittleEndian.Uint32([]byte(modelID))
	for _, c := range []struct {
		want string
		b    []byte
	}{
		{"0 bytes: too short", nil},
		{"file identifier", []byte("GIF89a..")},
		{"at byte 24: 4 bytes reach past the end (8)", le(0x18, id)},
		{"leads nowhere", le(0, id)},
		{"offset or length 4294967295", le(1<<32-1, id)},
		{"vtable of 8 bytes for a table of 0", le(8, id, 0xfffffffc, 8)},
		{"bytes reach past the end", le(8, id, 0xffffff00, 0)},
		{"lies outside its table", le(16, id, 0x00040006, 5, 8)}, // the vtable, of one field, is at byte 8
	} {
		refused(t, c.b, c.want)
	}
	for _, text := range []string{"stem/w", "serving_default"} {
		b := encode(t, floatNet())
		b[bytes.Index(b, []byte(text+"\x00"))+len(text)] = 'x'
		refused(t, b, "without the zero byte")
	}
}

func TestDecodeBounded(t *testing.T) {
	p := taken(t, floatNet())
	p.subgraph[subgraphOperators] = slices.Repeat(p.operators[:1], maxNodes+1)
	refused(t, finish(p.model, modelID, 0), "16385 operators: at most 16384")

	// 20000 operators that all are the same 8 bytes, so that 80 kB say a megabyte.
	w := writer{flatbuffers.NewBuilder(0), map[string]flatbuffers.UOffsetT{}}
	operators := vector(w, slices.Repeat([]flatbuffers.UOffsetT{w.table(obj{})}, 20000), 4, w.PrependUOffsetT)
	w.StartObject(subgraphOperators + 1)
	w.PrependUOffsetTSlot(subgraphOperators, operators, 0)
	subgraphs := vector(w, []flatbuffers.UOffsetT{w.EndObject()}, 4, w.PrependUOffsetT)
	w.StartObject(modelSubgraphs + 1)
	w.PrependUint32Slot(modelVersion, schemaVersion, 0)
	w.PrependUOffsetTSlot(modelSubgraphs, subgraphs, 0)
	w.FinishWithFileIdentifier(w.EndObject(), []byte(modelID))
	refused(t, w.FinishedBytes(), "parts overlap")
}

// A name is not multiplied by the steps that an operator is read as.
func TestStepsBounded(t *testing.T) {
	g := graph.New("pack")
	x := g.Input("x", graphtest.Floats(1, 1))
	g.Outputs = []*graph.Value{g.Apply(strings.Repeat("n", 1<<20), graph.Concat{}, slices.Repeat([]*graph.Value{x}, maxInputs)...)}
	p := taken(t, g)
	p.code(opConcatenation)[codeDeprecated], p.code(opConcatenation)[codeBuiltin] = int8(opPack), int32(opPack)
	p.operators[0][operatorOptionsType], p.operators[0][operatorOptions] = uint8(59), obj{int32(maxInputs), int32(0)}
	p.tensors[1][tensorShape] = []int32{maxInputs, 1, 1}
	b := finish(p.model, modelID, 0)
	refused(t, b, "parts overlap")
	survives(t, b)
}

// Where the budget ends within an operator that is read as two nodes, it is refused too.
func TestStepBeyondBudget(t *testing.T) {
	g := graph.New("up")
	x := g.Input("x", graphtest.Floats(1, 2, 2, 1))
	up := graph.TransposeConv2D{Window: graph.Dense(2, graph.Same), Size: [2]int{4, 4}}
	g.Outputs = []*graph.Value{g.Apply("y", up, x, graphtest.Const("w", nil, 1, 3, 3, 1))}
	p := taken(t, g)
	p.operators[0][operatorOptions] = append(p.options(0), make(obj, 8)...)
	p.options(0)[transposeActivation] = int8(1) // RELU
	b := finish(p.model, modelID, 0)
	enough := 0
	for budget := range 4 * len(b) {
		f, model := open(b, modelID)
		f.budget = budget
		d := &decoder{f: f, folded: map[*graph.Value]bool{}}
		if _, err := d.model(model); err == nil && f.err == nil {
			enough++
		}
	}
	if enough == 0 || enough == 4*len(b) {
		t.Errorf("%d of %d budgets were enough", enough, 4*len(b))
	}
}

// Labels come from an archive that anyone may have made.
func TestDecodeLabels(t *testing.T) {
	model := encode(t, int8Net())
	model = model[:bytes.LastIndex(model, []byte("PK\x03\x04"))]
	for _, c := range []struct {
		name, text string
		method     uint16
		want       string // an error, or the labels
	}{
		{labelsFile, "a\r\nb\r\n", zip.Store, "[a b]"},
		{labelsFile, "a\nb", zip.Deflate, "[a b]"},
		{labelsFile, "", zip.Store, "[]"},
		{labelsFile, "a\x1b[2J\n", zip.Store, "not plain text"},
		{labelsFile, "\xff\n", zip.Store, "not plain text"},
		{labelsFile, strings.Repeat("a", 1<<24), zip.Deflate, "more than 1048576 bytes"},
		{labelsFile, strings.Repeat("\n", 1<<20), zip.Deflate, "1048576 lines: want at most 65536"},
		{"../" + labelsFile, "a", zip.Store, "labels.txt: not in the archive"},
	} {
		b := bytes.NewBuffer(slices.Clone(model))
		z := zip.NewWriter(b)
		z.SetOffset(int64(len(model)))
		w, err := z.CreateHeader(&zip.FileHeader{Name: c.name, Method: c.method})
		if err == nil {
			_, err = w.Write([]byte(c.text))
		}
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(c.want, "[") {
			refused(t, b.Bytes(), c.want)
			continue
		}
		g, err := Decode(b.Bytes())
		if err != nil || "["+strings.Join(g.Meta.Labels, " ")+"]" != c.want {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

// seeds are whole models of every kind, ours and others'.
func seeds(t testing.TB) [][]byte {
	var all [][]byte
	for _, name := range []string{"float", "int8", "int8io", "any", "float16", "dynamic", "int16x8", "curves", "blocks", "moves", "tail"} {
		all = append(all, read(t, "tf_"+name))
	}
	for _, name := range []string{"float", "int8", "ranged", "branched", "int8 branched", "products"} {
		all = append(all, encode(t, nets(t)[name]))
	}
	return all
}

// Thousands of damaged models: flipped bits, changed words, every truncation, parts of one in another.
func TestMutants(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	models := seeds(t)
	taken := 0
	try := func(b []byte) {
		if survives(t, b) {
			taken++
		}
	}
	for _, m := range models {
		for n := 0; n < len(m); n += 1 + n/64 {
			try(m[:n])
		}
		for range 800 {
			b := slices.Clone(m)
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			try(b)
		}
		for range 500 {
			b := slices.Clone(m)
			words := []uint32{0, 1, 4, 0x7fffffff, 0x80000000, 0xffffffff, uint32(len(b)), r.Uint32N(uint32(len(b)))}
			binary.LittleEndian.PutUint32(b[4*r.IntN(len(b)/4):], words[r.IntN(len(words))])
			try(b)
		}
		for range 500 {
			b, other := slices.Clone(m), models[r.IntN(len(models))]
			from, to := r.IntN(len(other)), r.IntN(len(b))
			copy(b[to:], other[from:min(len(other), from+1+r.IntN(256))])
			try(b)
		}
	}
	t.Logf("%d mutants still were models", taken)
	if taken == 0 {
		t.Error("no mutant got past the checks: they never reached the rest")
	}
}

// survives reports whether b decodes. What decodes must encode, to a file that stands for itself. Memory is bounded by
// the size.
func survives(t testing.TB, b []byte) bool {
	t.Helper()
	before := allocated()
	g, err := Decode(b)
	between := allocated()
	head, tail, errHead := DecodeHead(b)
	if used := max(between-before, allocated()-between); used > 64*uint64(len(b))+1<<22 { // labels may unpack to 1 MB, in 65536 lines
		t.Fatalf("%d bytes allocated for a file of %d", used, len(b))
	}
	if err != nil {
		if g != nil || !errors.Is(err, ErrFormat) {
			t.Fatalf("graph %v with error %v", g, err)
		}
		if tail != nil {
			again(t, head, tail)
		} else if errHead == nil {
			t.Fatalf("read as a whole, and refused with %v", err)
		}
		return false
	}
	first := encode(t, g)
	back, err := Decode(first)
	if err != nil {
		t.Fatalf("%v\nfrom\n%v", err, g)
	}
	if second := encode(t, back); !bytes.Equal(first, second) {
		t.Fatalf("encodes to another file:\n%v\nthan\n%v", back, g)
	}
	return true
}

// allocated is the number of bytes ever allocated. Unlike ReadMemStats it does not stop the world; small objects may be
// counted late.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
