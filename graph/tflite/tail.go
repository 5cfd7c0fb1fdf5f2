package tflite

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"mnet-edge/graph"
)

// Tail is what a file has behind a graph: the operators that the graph has no form for, and all that depend on their
// results, as they stand in the file. Nobody here knows what they compute; they are carried from one file to another.
//
//	file = head (a graph.Graph)  ->  its outputs  ->  tail  ->  the file's outputs
type Tail struct {
	operators []foreign
	tensors   []foreignTensor // that only the tail knows: its constants and results
	heads     []graph.Type    // of the head's outputs
	reads     []bool          // which of them the tail does
	outputs   []int32         // of the file
	names     []string        // by which the file's signature, or else its tensors, call these
	runtime   string          // the oldest release that has the operators, as the file says; "" if it does not
	labels    int8            // what the file's labels are of, 0 where it has none
	refusal   error           // of the first operator
}

// foreign is an operator of a tail. Its tensors have numbers of their own: first the outputs of the head, then the tail's
// tensors; -1 is an absent one.
type foreign struct {
	operatorVersion
	in, out []int32
	kind    uint8 // of options
	options obj
	blob    []byte // options of a custom operator, in a format of its own
	format  int8   // which says so
}

// foreignTensor is a tensor as the file has it, but for its buffer.
type foreignTensor struct {
	fields obj
	data   []byte // of a constant
}

// DecodeHead reads the operators of a file that Decode takes as a graph, and the others, with all that reads what they give, as a
// tail, which is nil if there are none. The graph's outputs are first those of the file that it gives, then what else the tail
// reads. A file of which the graph would give nothing but its input is refused as Decode does.
func DecodeHead(b []byte) (*graph.Graph, *Tail, error) {
	g, d, err := decode(b, true)
	return g, d.tail, err
}

// Refusal is the error that Decode has for the file, which names the tail's first operator.
func (t *Tail) Refusal() error { return t.refusal }

// Operators names the tail's operators in execution order: ARG_MAX, or of a custom one its name.
func (t *Tail) Operators() []string {
	var names []string
	for _, o := range t.operators {
		names = append(names, o.name())
	}
	return names
}

// Given is how many of the graph's outputs, the first ones, are the file's too.
func (t *Tail) Given() (n int) {
	for _, i := range t.outputs {
		if int(i) < len(t.heads) {
			n = max(n, int(i)+1)
		}
	}
	return n
}

// String is a line for each operator: results = NAME(inputs).
func (t *Tail) String() string {
	var b strings.Builder
	list := func(is []int32) string {
		var names []string
		for _, i := range is {
			switch own := int(i) - len(t.heads); {
			case i < 0:
				names = append(names, "-")
			case own < 0:
				names = append(names, fmt.Sprintf("output %d", i))
			default:
				names = append(names, t.tensors[own].name())
			}
		}
		return strings.Join(names, ", ")
	}
	for _, o := range t.operators {
		fmt.Fprintf(&b, "%s = %s(%s)\n", list(o.out), o.name(), list(o.in))
	}
	return b.String()
}

func (t foreignTensor) name() string {
	return fmt.Sprintf("%s %s%v", t.fields[tensorName], strings.ToLower(typeName(t.fields[tensorType].(int8))), t.fields[tensorShape])
}

// Encode is Encode of a graph with the tail behind it. The graph's outputs are those that DecodeHead gave, in that order and of the
// same types, but for float32 ones that have become integers: the tail gets them behind a DEQUANTIZE.
func (t *Tail) Encode(g *graph.Graph) ([]byte, error) {
	if len(g.Outputs) != len(t.heads) {
		return nil, fmt.Errorf("tflite: %d outputs for a tail behind %d", len(g.Outputs), len(t.heads))
	}
	for i, v := range g.Outputs {
		want := t.heads[i]
		if !v.Type.Equal(want) && (want.DType != graph.Float32 || !slices.Equal(v.Type.Shape, want.Shape)) {
			return nil, fmt.Errorf("tflite: output %q is %v, the tail wants %v", v.Name, v.Type, want)
		}
	}
	return encodeWith(g, t)
}

// size is how many bytes of data a tail has.
func (t *Tail) size() (n int64) {
	if t == nil {
		return 0
	}
	for _, v := range t.tensors {
		n += int64(len(v.data))
	}
	for _, o := range t.operators {
		n += int64(len(o.blob))
	}
	return n
}

// labelKind is what labels of the first output are of: its places along the last axis, or its values.
func (t *Tail) labelKind() int8 {
	if t == nil || t.labels == 0 {
		return fileAxisLabels
	}
	return t.labels
}

// tail writes the operators of a tail behind g, and gives the tensors that are the file's outputs.
func (e *encoder) tail(t *Tail, g *graph.Graph) ([]int32, error) {
	given := e.values(g.Outputs) // tensors by the tail's numbers
	read := slices.Clone(given)  // the same as the tail reads them
	for i, v := range g.Outputs {
		if !t.reads[i] || v.Type.Equal(t.heads[i]) {
			continue
		}
		n := &graph.Node{Op: graph.Dequantize{}, In: []*graph.Value{v}}
		n.Out = &graph.Value{Name: v.Name + ".float32", Type: graph.Type{DType: graph.Float32, Shape: v.Type.Shape}, Def: n}
		if err := e.node(n); err != nil {
			return nil, err
		}
		read[i] = e.index[n.Out]
	}
	for _, v := range t.tensors {
		o := slices.Clone(v.fields)
		if v.data != nil {
			o[tensorBuffer] = e.buffer(v.data)
		}
		given, read = append(given, int32(len(e.tensors))), append(read, int32(len(e.tensors)))
		e.tensors = append(e.tensors, o)
	}
	of := func(tensors, numbers []int32) []int32 {
		is := slices.Clone(numbers)
		for k, i := range is {
			if i >= 0 {
				is[k] = tensors[i]
			}
		}
		return is
	}
	for _, f := range t.operators {
		o := obj{
			operatorCode: e.codeOf(f.operatorVersion), operatorInputs: of(read, f.in), operatorOutputs: of(read, f.out),
			operatorOptionsType: f.kind, operatorOptions: nil, operatorCustom: nil, operatorFormat: f.format,
		}
		if f.kind != 0 {
			o[operatorOptions] = f.options
		}
		if f.blob != nil {
			o[operatorCustom] = blob(f.blob)
		}
		e.operators = append(e.operators, o)
	}
	if older(e.runtime, t.runtime) {
		e.runtime = t.runtime
	}
	return of(given, t.outputs), nil
}

// leave makes operator o part of the tail, since Decode does not take it, or since it reads what the tail gives. The graph had so many
// nodes before it; what its decoding added is taken out again.
func (d *decoder) leave(g *graph.Graph, nodes int, o table) error {
	for len(g.Nodes) > nodes {
		if err := g.Remove(g.Nodes[len(g.Nodes)-1]); err != nil {
			return err
		}
	}
	d.computed = slices.DeleteFunc(d.computed, func(n int) bool { return n >= nodes })
	for k, t := range o.int32s(operatorInputs) {
		if t == -1 {
			continue
		}
		if err := d.readable(t); err != nil {
			return fmt.Errorf("%s: input %d: %w", d.where, k, err)
		}
	}
	for k, t := range o.int32s(operatorOutputs) {
		if err := d.free(t); err != nil {
			return fmt.Errorf("%s: output %d: %w", d.where, k, err)
		}
		d.behind[t] = true
	}
	d.left = append(d.left, o)
	return nil
}

// readable refuses a tensor that has no data and that no operator so far gives.
func (d *decoder) readable(i int32) error {
	if err := d.exists(i); err != nil || d.values[i] != nil || d.behind[i] {
		return err
	}
	b, err := d.within(d.tensors[i].uint32(tensorBuffer))
	if err == nil && !b.filled(bufferData) && !slices.Contains(d.tensors[i].int32s(tensorShape), 0) {
		err = errUndefined
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.tensorName(i), err)
	}
	return nil
}

// tailOf makes the tail of the operators that were left, and the graph's outputs of what the file gives and they read.
func (d *decoder) tailOf(g *graph.Graph, outputs []int32) (*Tail, error) {
	t := &Tail{refusal: fmt.Errorf("tflite: %w: %w", ErrFormat, d.refusal)}
	number := map[int32]int32{} // of the file's tensors
	head := func(i int32) bool {
		if d.values[i] == nil || d.values[i].Constant() {
			return false
		}
		if _, ok := number[i]; !ok {
			number[i] = int32(len(g.Outputs))
			g.Outputs = append(g.Outputs, d.values[i])
			t.heads, t.reads = append(t.heads, d.values[i].Type), append(t.reads, false)
		}
		return true
	}
	for _, i := range outputs {
		if err := d.readable(i); err != nil {
			return nil, fmt.Errorf("output: %w", err)
		}
		head(i)
	}
	for _, o := range d.left {
		for _, i := range o.int32s(operatorInputs) {
			if i >= 0 && head(i) {
				t.reads[number[i]] = true
			}
		}
	}
	of := func(is []int32) ([]int32, error) {
		for k, i := range is {
			if i < 0 {
				continue
			}
			n, ok := number[i]
			if !ok {
				v, err := d.foreignTensor(i)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", d.tensorName(i), err)
				}
				n = int32(len(t.heads) + len(t.tensors))
				t.tensors, number[i] = append(t.tensors, v), n
			}
			is[k] = n
		}
		return is, nil
	}
	for _, o := range d.left {
		f, err := d.foreign(o)
		if err == nil {
			f.in, err = of(f.in)
		}
		if err == nil {
			f.out, err = of(f.out)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name(), err)
		}
		t.operators = append(t.operators, f)
	}
	var err error
	t.outputs, err = of(outputs)
	return t, err
}

// foreign reads an operator with its tensors numbered as in the file.
func (d *decoder) foreign(o table) (foreign, error) {
	f := foreign{in: o.int32s(operatorInputs), out: o.int32s(operatorOutputs), kind: o.uint8(operatorOptionsType),
		blob: o.bytes(operatorCustom), format: o.int8(operatorFormat)}
	var err error
	if f.operatorVersion, err = d.codeOf(o.uint32(operatorCode)); err != nil {
		return f, err
	}
	if slices.ContainsFunc(o.bytes(operatorMutating), func(b byte) bool { return b != 0 }) || len(o.int32s(operatorIntermediates)) > 0 {
		return f, fmt.Errorf("with state: %w", ErrUnsupported)
	}
	if o.uint64(operatorLarge) != 0 || o.uint8(operatorOptions2Type) != 0 {
		return f, fmt.Errorf("options outside the operator: %w", ErrUnsupported)
	}
	if f.kind != 0 {
		f.options, err = copyOptions(f.kind, o.table(operatorOptions))
	}
	return f, err
}

// foreignTensor reads a tensor that only the tail knows. The result of a shaper is the constant that the decoder made of it.
func (d *decoder) foreignTensor(i int32) (foreignTensor, error) {
	t := d.tensors[i]
	o := obj{
		tensorShape: t.int32s(tensorShape), tensorType: t.int8(tensorType), tensorName: t.string(tensorName),
		tensorSignature: nil, tensorHasRank: t.bool(tensorHasRank),
	}
	if s := t.int32s(tensorSignature); s != nil {
		o[tensorSignature] = s
	}
	if moreThanData(t) || t.has(tensorVariants) {
		return foreignTensor{}, errMoreThanData
	}
	if q := t.table(tensorQuantization); q.f != nil {
		if q.uint8(quantDetails) != 0 {
			return foreignTensor{}, fmt.Errorf("quantization details: %w", ErrUnsupported)
		}
		o[tensorQuantization] = obj{quantMin: q.float32s(quantMin), quantMax: q.float32s(quantMax), quantScale: q.float32s(quantScale),
			quantZero: q.int64s(quantZero), quantAxis: q.int32(quantAxis)}
	}
	data, err := d.buffer(t.uint32(tensorBuffer))
	if v := d.values[i]; err == nil && len(data) == 0 && v != nil {
		data, err = binary.Append(nil, binary.LittleEndian, v.Data)
	}
	return foreignTensor{o, data}, err
}
