package tflite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// ErrFormat is wrapped by every error of Decode: the bytes are not a model this package takes. The error names the
// tensor or operator, or the byte.
var ErrFormat = errors.New("not a usable TFLite model")

// ErrUnsupported is wrapped, beside ErrFormat, where the model may be sound but uses what the graph has no form for.
var ErrUnsupported = errors.New("outside the supported set")

// maxNodes bounds the operators of a model, maxInputs the inputs of one.
const (
	maxNodes  = 1 << 14
	maxInputs = 1 << 7
)

// Decode reads a .tflite file: one that Encode wrote, or another tool's within the same operators. The graph has passed
// graph.Check. Its level follows from its content: Quantized where any value is of another type than float32; Ranged where every activation has a range; else Folded. Bytes that anyone made give an error, and take memory
// in proportion to their number. Weights of a byte each, and of float32, stay in b, which must not change as long as the graph is used.
func Decode(b []byte) (*graph.Graph, error) {
	g, _, err := decode(b, false)
	return g, err
}

// ComputedShapes are the numbers of those nodes of DecodeHead's graph whose shape the file computes while it runs, from another tensor's.
// The graph does not show it; some runtimes mind.
func ComputedShapes(b []byte) ([]int, error) {
	_, d, err := decode(b, true)
	return d.computed, err
}

// DecodeOrigins is Decode, and says of each node of the graph which operator of the file, by number, it is read from. One operator may be
// read as several nodes, or as none.
func DecodeOrigins(b []byte) (*graph.Graph, []int, error) {
	g, d, err := decode(b, false)
	return g, d.origins, err
}

// decode reads the whole file as a graph; or, if partly, what the graph has forms for, and the rest as d.tail.
func decode(b []byte, partly bool) (*graph.Graph, *decoder, error) {
	f, model := open(b, modelID)
	d := &decoder{f: f, partly: partly, folded: map[*graph.Value]bool{}}
	g, err := d.model(model)
	if f.err != nil { // came first, whatever else it led to
		err = f.err
		if d.where != "" {
			err = fmt.Errorf("%s: %w", d.where, err)
		}
	}
	if err == nil {
		err = g.Check()
	}
	if err != nil {
		d.tail = nil
		return nil, d, fmt.Errorf("tflite: %w: %w", ErrFormat, err)
	}
	return g, d, nil
}

// errUndefined is what is wrong with a tensor that is no constant.
var errUndefined = errors.New("used before an operator gives it")

type decoder struct {
	f       *file
	where   string // the part being read
	codes   []table
	buffers []table
	tensors []table
	values  []*graph.Value // of each tensor once it is known

	read     []bool                // of each tensor, whether anybody does
	folded   map[*graph.Value]bool // results of shapers
	computed []int                 // nodes that read one
	origins  []int                 // of each node, the number of its operator

	partly  bool
	left    []table // operators of the tail
	behind  []bool  // of each tensor, whether one of them gives it
	refusal error   // why the first of them was left
	tail    *Tail
}

func (d *decoder) model(model table) (*graph.Graph, error) {
	if v := model.uint32(modelVersion); v != schemaVersion {
		return nil, fmt.Errorf("schema version %d: want %d", v, schemaVersion)
	}
	subgraphs := model.tables(modelSubgraphs)
	if len(subgraphs) != 1 {
		return nil, fmt.Errorf("%d subgraphs, want 1: %w", len(subgraphs), ErrUnsupported)
	}
	sub := subgraphs[0]
	d.codes, d.buffers = model.tables(modelOperatorCodes), model.tables(modelBuffers)
	d.tensors = sub.tables(subgraphTensors)
	d.values, d.behind = make([]*graph.Value, len(d.tensors)), make([]bool, len(d.tensors))
	g := graph.New(sub.string(subgraphName))
	for _, i := range sub.int32s(subgraphInputs) {
		v, err := d.undefined(i)
		if err == nil {
			err = d.fixed(i)
		}
		if err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
		d.values[i] = v
		g.Inputs = append(g.Inputs, v)
	}
	operators := sub.tables(subgraphOperators)
	if len(operators) > maxNodes {
		return nil, fmt.Errorf("%d operators: at most %d are read", len(operators), maxNodes)
	}
	if d.reads(sub, operators); d.f.err != nil {
		return nil, nil
	}
	for i, o := range operators {
		d.where = fmt.Sprintf("operator %d", i)
		if err := d.operator(g, o); err != nil || d.f.err != nil {
			return nil, err
		}
		for len(d.origins) < len(g.Nodes) {
			d.origins = append(d.origins, i)
		}
		if len(g.Nodes) > maxNodes { // some are read as several
			return nil, fmt.Errorf("operator %d: at most %d nodes are made of a file", i, maxNodes)
		}
	}
	d.where = ""
	if err := d.outputs(g, sub.int32s(subgraphOutputs)); err != nil {
		return nil, err
	}
	g.Level = level(g)
	g.Meta.Signature = d.signature(model, sub)
	if d.tail != nil {
		if d.tail.names = g.Meta.Signature.Outputs; d.tail.names == nil {
			d.tail.names = apart("output", d.names(sub.int32s(subgraphOutputs)))
		}
	}
	return g, d.meta(g, model)
}

// outputs sets the graph's outputs, and where operators are left the tail.
func (d *decoder) outputs(g *graph.Graph, tensors []int32) (err error) {
	if len(d.left) > 0 {
		d.tail, err = d.tailOf(g, tensors)
		if err == nil && !slices.ContainsFunc(g.Outputs, func(v *graph.Value) bool { return v.Def != nil }) {
			err = d.refusal
		}
		return err
	}
	for _, i := range tensors {
		v, err := d.value(i)
		if err == nil && v.Constant() {
			err = fmt.Errorf("%s is a constant", d.tensorName(i))
		}
		if err != nil {
			return fmt.Errorf("output: %w", err)
		}
		g.Outputs = append(g.Outputs, v)
	}
	return nil
}

// operator decodes the operator that d.where is at, or leaves it to the tail.
func (d *decoder) operator(g *graph.Graph, o table) error {
	nodes := len(g.Nodes)
	if d.partly && slices.ContainsFunc(o.int32s(operatorInputs), func(t int32) bool { return d.has(t) && d.behind[t] }) {
		return d.leave(g, nodes, o)
	}
	err := d.node(g, o)
	if err != nil {
		err = fmt.Errorf("%s: %w", d.where, err)
	}
	if !d.partly || !errors.Is(err, ErrUnsupported) || d.f.err != nil {
		return err
	}
	if d.refusal == nil {
		d.refusal = err
	}
	return d.leave(g, nodes, o)
}

func level(g *graph.Graph) graph.Level {
	ranged := true
	for _, v := range g.Values() {
		if v.Type.DType != graph.Float32 { // of a constant, too: a float32 layer's weights, or what a DEQUANTIZE reads
			return graph.Quantized
		}
		ranged = ranged && (v.Constant() || v.Range != nil)
	}
	if ranged {
		return graph.Ranged
	}
	return graph.Folded
}

// reads notes which tensors are read.
func (d *decoder) reads(sub table, operators []table) {
	d.read = make([]bool, len(d.tensors))
	note := func(tensors []int32) {
		for _, i := range tensors {
			if d.has(i) {
				d.read[i] = true
			}
		}
	}
	note(sub.int32s(subgraphOutputs))
	for i, o := range operators {
		if note(o.int32s(operatorInputs)); d.f.err != nil {
			d.where = fmt.Sprintf("operator %d", i)
			return
		}
	}
}

// node decodes an operator and appends it to the graph.
func (d *decoder) node(g *graph.Graph, o table) error {
	ins, outs := o.int32s(operatorInputs), o.int32s(operatorOutputs)
	code, err := d.code(o.uint32(operatorCode))
	if err != nil {
		return err
	}
	d.where += " " + builtinName(code)
	if len(outs) > 0 {
		d.where += " giving " + d.tensorName(outs[0])
	}
	c := byCode[code]
	if c == nil && shapers[code] == nil {
		return ErrUnsupported
	}
	most := 1
	if c != nil && c.several {
		most = maxInputs
	}
	if len(outs) == 0 || len(outs) > most || len(ins) == 0 || len(ins) > maxInputs {
		return fmt.Errorf("%d inputs and %d outputs", len(ins), len(outs))
	}
	if last := len(ins) - 1; c != nil && c.biased && last > 1 && ins[last] == -1 {
		ins = ins[:last]
	}
	in := make([]*graph.Value, len(ins))
	for k, t := range ins {
		if in[k], err = d.value(t); err != nil {
			return fmt.Errorf("input %d: %w", k, err)
		}
		if in[k].Type.Elements() == 0 && (k == 0 || !slices.Contains(sayOfEachDimension, code)) {
			return fmt.Errorf("input %d: %s: shape %v", k, d.tensorName(t), in[k].Type.Shape)
		}
		if q := in[k].Type.Quant; q != nil {
			d.f.charge(o.at, len(q.Scale), 4) // Check looks at them once a use
		}
	}
	for k, t := range outs {
		if len(outs) > 1 && d.has(t) && !d.read[t] {
			continue
		}
		if err := d.result(g, code, o, in, t, k, len(outs)); err != nil {
			for _, t := range outs[:k] {
				d.values[t] = nil // in case the operator is left
			}
			return err
		}
	}
	return nil
}

// result decodes tensor t, the result number part of operator o, from the operator's inputs.
func (d *decoder) result(g *graph.Graph, code int32, o table, in []*graph.Value, t int32, part, parts int) error {
	out, err := d.undefined(t)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if part > 0 {
		d.f.charge(o.at, 1, tableCost) // as if it were an operator's of its own
	}
	c := byCode[code]
	nodes := len(g.Nodes)
	call := &call{in: in, out: out.Type, part: part, parts: parts, g: g, f: d.f, name: out.Name}
	if fold := shapers[code]; fold != nil && (c == nil || out.Type.DType == graph.Int32) {
		call.options = o.table(operatorOptions)
		if err := call.fold(fold, out); err != nil {
			return err
		}
		d.values[t], d.folded[out] = out, true
		return nil
	}
	// Of kind 0 there are no options, whatever the field behind it has.
	if kind := o.uint8(operatorOptionsType); kind == c.options {
		call.options = o.table(operatorOptions)
	} else if kind != 0 {
		return fmt.Errorf("options of kind %d: want %d", kind, c.options)
	}
	op, err := c.decode(call)
	if err != nil {
		return err
	}
	v := g.Apply(out.Name, op, d.bias(op, out.Name, call.in)...)
	if _, err := v.Def.Infer(); err != nil {
		return err
	}
	v.Type, v.Range = out.Type, out.Range // Check compares it with what the operator gives
	for _, n := range g.Nodes[nodes:] {
		if err := n.Form(); err != nil { // the file may be sound all the same
			return fmt.Errorf("%w: %w", err, ErrUnsupported)
		}
	}
	if slices.ContainsFunc(in, func(v *graph.Value) bool { return d.folded[v] }) {
		d.computed = append(d.computed, len(g.Nodes)-1)
	}
	d.values[t] = v
	return nil
}

// code is the builtin operator of an operator code.
func (d *decoder) code(i uint32) (int32, error) {
	v, err := d.codeOf(i)
	if err == nil && v.code == opCustom {
		err = fmt.Errorf("%s: %w", v.name(), ErrUnsupported)
	}
	return v.code, err
}

// codeOf is an operator code. Old files have the builtin operator in a byte, which is 127 where it does not fit.
func (d *decoder) codeOf(i uint32) (operatorVersion, error) {
	if int64(i) >= int64(len(d.codes)) {
		return operatorVersion{}, fmt.Errorf("operator code %d of %d", i, len(d.codes))
	}
	t := d.codes[i]
	return operatorVersion{max(int32(t.int8(codeDeprecated)), t.int32(codeBuiltin)), t.int32Or(codeVersion, 1), t.string(codeCustom)}, nil
}

// bias gives an integer operator that has weights but no bias one of zeros, which changes nothing: its kernels want
// one. A bias whose scale is the product of input and weight scale but for rounding gets exactly their float32 product:
// TensorFlow's converter rounds it later, and runtimes compute with the two scales, not with the bias's.
func (d *decoder) bias(op graph.Op, name string, in []*graph.Value) []*graph.Value {
	_, weighted := graph.OutputAxis(op)
	if !weighted || len(in) < 2 || in[0].Type.Quant == nil || in[1].Type.Quant == nil || len(in[0].Type.Quant.Scale) != 1 {
		return in
	}
	x, w := in[0].Type.Quant, in[1].Type.Quant
	q := graph.BiasQuant(x, w)
	if shape := in[1].Type.Shape; len(in) == 2 { // a FullyConnected: convolutions without a bias are refused
		if len(shape) == 0 {
			return in // which Infer refuses
		}
		channels := shape[0]
		if d.f.charge(0, channels, 4); d.f.err != nil { // many operators may share the weights
			return in
		}
		t := graph.Type{DType: graph.BiasType(in[0].Type.DType), Shape: []int{channels}, Quant: q}
		if t.DType == graph.Int64 {
			return append(in, graph.Const(name+"/bias", t, make([]int64, channels)))
		}
		return append(in, graph.Const(name+"/bias", t, make([]int32, channels)))
	}
	if b := in[2]; b.Type.Quant != nil && slices.EqualFunc(b.Type.Quant.Scale, q.Scale, near) {
		q.Zero = b.Type.Quant.Zero
		b.Type.Quant = q
	}
	return in
}

// near allows for products of scales in float32, in double, and of scales before their own rounding.
func near(a, b float32) bool {
	return math.Abs(float64(a)-float64(b)) <= 1e-6*min(float64(a), float64(b))
}

func (d *decoder) tensorName(i int32) string {
	if !d.has(i) {
		return fmt.Sprintf("tensor %d", i)
	}
	return fmt.Sprintf("tensor %d %q", i, d.tensors[i].string(tensorName))
}

// has says whether the file has tensor i; exists gives the error where it has not.
func (d *decoder) has(i int32) bool { return i >= 0 && int(i) < len(d.tensors) }

func (d *decoder) exists(i int32) error {
	if !d.has(i) {
		return fmt.Errorf("tensor %d of %d", i, len(d.tensors))
	}
	return nil
}

// value is the value of a tensor that is used: a constant, or one already defined.
func (d *decoder) value(i int32) (*graph.Value, error) {
	if err := d.exists(i); err != nil {
		return nil, err
	}
	if v := d.values[i]; v != nil {
		return v, nil
	}
	if v := d.noNumbers(i); v != nil {
		return v, nil
	}
	v, data, err := d.tensor(i)
	if err == nil && len(data) == 0 {
		err = errUndefined
	}
	if err == nil {
		v.Data, err = constant(v.Type, data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.tensorName(i), err)
	}
	d.values[i] = v
	return v, nil
}

// sayOfEachDimension are the operators whose inputs behind the first have numbers for each dimension of that.
var sayOfEachDimension = []int32{opPad, opReshape, opTranspose, opStridedSlice, opSlice, opTile, opMirrorPad}

// noNumbers is a constant of int32 or int64 without elements, as sayOfEachDimension have them for scalars; nil for any other tensor.
func (d *decoder) noNumbers(i int32) *graph.Value {
	t := d.tensors[i]
	dims := t.int32s(tensorShape)
	if len(dims) > maxRank || !slices.Contains(dims, 0) || slices.Min(dims) < 0 {
		return nil
	}
	v := &graph.Value{Name: t.string(tensorName), Type: graph.Type{Shape: ints(dims)}}
	switch v.Type.DType = dtypes[t.int8(tensorType)]; v.Type.DType {
	case graph.Int32:
		v.Data = []int32{}
	case graph.Int64:
		v.Data = []int64{}
	default:
		return nil
	}
	return v
}

// undefined is a new value for a tensor that becomes an input or is given by an operator.
func (d *decoder) undefined(i int32) (*graph.Value, error) {
	if err := d.free(i); err != nil {
		return nil, err
	}
	v, data, err := d.tensor(i)
	if err == nil && len(data) > 0 {
		err = errors.New("has data, but is no constant")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.tensorName(i), err)
	}
	return v, nil
}

// free reports a tensor that something gives already.
func (d *decoder) free(i int32) error {
	err := d.exists(i)
	if err == nil && (d.values[i] != nil || d.behind[i]) {
		err = fmt.Errorf("%s: given twice", d.tensorName(i))
	}
	return err
}

// fixed refuses an input whose size the file leaves open. The shape beside it has 1 for an open dimension. That does for a
// batch; for any other it is no size to convert or run at.
func (d *decoder) fixed(i int32) error {
	signature := d.tensors[i].int32s(tensorSignature)
	if len(signature) > 1 && slices.Contains(signature[1:], -1) {
		return fmt.Errorf("%s: dynamic shape %v: %w", d.tensorName(i), signature, ErrUnsupported)
	}
	return nil
}

// tensor reads the type of tensor i, and its data if it is constant.
func (d *decoder) tensor(i int32) (*graph.Value, []byte, error) {
	t := d.tensors[i]
	v := &graph.Value{Name: t.string(tensorName)}
	code := t.int8(tensorType)
	dtype, ok := dtypes[code]
	if !ok {
		return nil, nil, fmt.Errorf("elements of %s: %w", typeName(code), ErrUnsupported)
	}
	if moreThanData(t) {
		return nil, nil, errMoreThanData
	}
	shape, err := shapeOf(t.int32s(tensorShape))
	if err != nil {
		return nil, nil, err
	}
	v.Type = graph.Type{DType: dtype, Shape: shape}
	if err := quantizationOf(v, t.table(tensorQuantization)); err != nil {
		return nil, nil, err
	}
	data, err := d.buffer(t.uint32(tensorBuffer))
	return v, data, err
}

// moreThanData says whether a tensor is more than its type and its data.
func moreThanData(t table) bool {
	return t.bool(tensorVariable) || t.has(tensorSparsity) || t.uint32(tensorExternal) != 0
}

var errMoreThanData = fmt.Errorf("a variable, sparse or external tensor: %w", ErrUnsupported)

// shapeOf is a shape with at least one element and no more than a graph may have.
func shapeOf(dims []int32) ([]int, error) {
	if len(dims) > maxRank {
		return nil, fmt.Errorf("%d dimensions: at most %d", len(dims), maxRank)
	}
	n := 1
	for _, d := range dims {
		if d < 1 || int(d) > graph.MaxElements/n {
			return nil, fmt.Errorf("shape %v", dims)
		}
		n *= int(d)
	}
	return ints(dims), nil
}

// quantizationOf sets quantization and range of a tensor. Scales mean nothing on a float32.
func quantizationOf(v *graph.Value, q table) error {
	if t := q.uint8(quantDetails); t != 0 {
		return fmt.Errorf("quantization details of kind %d: %w", t, ErrUnsupported)
	}
	if lo, hi := q.float32s(quantMin), q.float32s(quantMax); len(lo) == 1 && len(hi) == 1 && lo[0] <= hi[0] {
		v.Range = &graph.Interval{Min: lo[0], Max: hi[0]}
	}
	scale, zero := q.float32s(quantScale), q.int64s(quantZero)
	if len(scale) == 0 { // zero points alone mean nothing
		return nil
	}
	if len(scale) != len(zero) {
		return fmt.Errorf("%d scales and %d zero points", len(scale), len(zero))
	}
	if v.Type.DType == graph.Float32 {
		return nil
	}
	p := &quant.Params{Scale: scale, Zero: make([]int32, len(zero)), Axis: int(q.int32(quantAxis))}
	for i, z := range zero {
		if p.Zero[i] = int32(z); int64(p.Zero[i]) != z {
			return fmt.Errorf("zero point %d", z)
		}
	}
	v.Type.Quant = p
	qmin, qmax := v.Type.DType.Limits()
	return p.Check(v.Type.Shape, qmin, qmax)
}

// buffer is the data of buffer i, shared with the file; buffer 0 and empty ones have none.
func (d *decoder) buffer(i uint32) ([]byte, error) {
	b, err := d.within(i)
	return b.bytes(bufferData), err
}

// within is the table of buffer i, whose data is in it.
func (d *decoder) within(i uint32) (table, error) {
	if int64(i) >= int64(len(d.buffers)) {
		return table{}, fmt.Errorf("buffer %d of %d", i, len(d.buffers))
	}
	b := d.buffers[i]
	if b.uint64(bufferOffset) > 1 { // 1 is a converter's placeholder
		return table{}, fmt.Errorf("buffer %d outside the flatbuffer: %w", i, ErrUnsupported)
	}
	return b, nil
}

// unpackNibbles are the n int4 of data, each in an int8.
func unpackNibbles(data []byte, n int) []int8 {
	s := make([]int8, n)
	for i := range s {
		s[i] = int8(data[i/2]>>(i%2*4)<<4) >> 4
	}
	return s
}

// littleEndian is whether this machine has numbers in memory as the file has them.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// constant is the data of a tensor as numbers. Those of one byte, and float32 that lie where they may, are the file's own: most of
// a model is weights, and a copy of them would be most of what opening it takes.
func constant(t graph.Type, data []byte) (any, error) {
	if len(data) != t.Bytes() {
		return nil, fmt.Errorf("%d bytes of data for %v", len(data), t)
	}
	n := t.Elements()
	var s any
	switch t.DType {
	case graph.Float32:
		if p := unsafe.Pointer(unsafe.SliceData(data)); littleEndian && uintptr(p)%unsafe.Alignof(float32(0)) == 0 {
			return unsafe.Slice((*float32)(p), n), nil
		}
		s = make([]float32, n)
	case graph.Int8:
		return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(data))), n), nil
	case graph.UInt8:
		return data[:n:n], nil
	case graph.Int16:
		s = make([]int16, n)
	case graph.Int32:
		s = make([]int32, n)
	case graph.Int64:
		s = make([]int64, n)
	case graph.Float16:
		s = make([]graph.Half, n)
	case graph.Int4:
		return unpackNibbles(data, n), nil
	}
	_, err := binary.Decode(data, binary.LittleEndian, s)
	return s, err
}
