package tflite

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mnet-edge/graph"
)

// maxData bounds a model's constants, names and extra entries, in bytes, so that offsets stay within a flatbuffer's.
const maxData = 1 << 29

// Encode is the graph as a .tflite file: see the package comment for what is in it. The graph may be at any level but
// must be free of BatchNorm. The same graph gives the same bytes.
func Encode(g *graph.Graph) ([]byte, error) { return encodeWith(g, nil) }

// encodeWith writes the graph, and behind it the tail unless that is nil.
func encodeWith(g *graph.Graph, tail *Tail) ([]byte, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("tflite: %w", err)
	}
	if err := checkMeta(g); err != nil {
		return nil, fmt.Errorf("tflite: %w", err)
	}
	size := dataSize(g) + tail.size()
	if size > maxData {
		return nil, fmt.Errorf("tflite: %d bytes of constants: want at most %d", size, maxData)
	}
	e := &encoder{
		buffers: []obj{{}}, // buffer 0 stands for "no data"
		index:   map[*graph.Value]int32{},
		version: map[operatorVersion]uint32{},
		runtime: "1.5.0", // the first release that reads version 3 of the schema
	}
	model, err := e.model(g, tail)
	if err != nil {
		return nil, fmt.Errorf("tflite: %w", err)
	}
	return appendLabels(finish(model, modelID, int(size)+1<<14), g.Meta.Labels)
}

func dataSize(g *graph.Graph) (n int64) {
	for _, v := range g.Values() {
		n += int64(len(v.Name))
		if v.Constant() {
			n += int64(v.Type.Bytes())
		}
	}
	for name, data := range g.Meta.Extra {
		n += int64(len(name) + len(data))
	}
	return n
}

type encoder struct {
	tensors, buffers, codes, operators []obj

	index   map[*graph.Value]int32     // of tensors
	version map[operatorVersion]uint32 // of operator codes
	runtime string                     // the oldest release that has every operator so far
}

// operatorVersion is what an operator code tells apart; custom is the name of a custom operator.
type operatorVersion struct {
	code, version int32
	custom        string
}

func (v operatorVersion) name() string {
	if v.code == opCustom {
		return fmt.Sprintf("custom operator %q", v.custom)
	}
	return builtinName(v.code)
}

func (e *encoder) model(g *graph.Graph, tail *Tail) (obj, error) {
	inputs := e.values(g.Inputs)
	for _, n := range g.Nodes {
		if err := e.node(n); err != nil {
			return nil, err
		}
	}
	outputs := e.values(g.Outputs)
	if tail != nil {
		var err error
		if outputs, err = e.tail(tail, g); err != nil {
			return nil, err
		}
	}
	var entries []obj
	if tail == nil || tail.runtime != "" { // else nobody knows
		entries = append(entries, obj{entryName: runtimeEntry, entryBuffer: e.buffer(slices.Concat([]byte(e.runtime), make([]byte, 16))[:16])})
	}
	entries = append(entries, obj{entryName: infoEntry, entryBuffer: e.buffer(finish(info(g, e.names(outputs), tail.labelKind()), metadataID, 1<<10))})
	for _, name := range slices.Sorted(maps.Keys(g.Meta.Extra)) {
		entries = append(entries, obj{entryName: name, entryBuffer: e.buffer(g.Meta.Extra[name])})
	}
	subgraph := obj{
		subgraphTensors: e.tensors, subgraphInputs: inputs, subgraphOutputs: outputs,
		subgraphOperators: e.operators, subgraphName: g.Name,
	}
	s := g.Meta.Signature
	if tail != nil { // what the graph gives is for the tail
		s.Outputs = tail.names
	}
	signature := obj{
		signatureInputs: e.tensorMap(s.Inputs, "input", inputs), signatureOutputs: e.tensorMap(s.Outputs, "output", outputs),
		signatureKey: cmp.Or(s.Key, defaultSignature),
	}
	return obj{
		modelVersion: uint32(schemaVersion), modelOperatorCodes: e.codes, modelSubgraphs: []obj{subgraph},
		modelDescription: g.Meta.Description, modelBuffers: e.buffers, modelMetadata: entries,
		modelSignatures: []obj{signature},
	}, nil
}

// names are the tensors' own.
func (e *encoder) names(index []int32) []string {
	var names []string
	for _, i := range index {
		names = append(names, e.tensors[i][tensorName].(string))
	}
	return names
}

// tensorMap names tensors for a signature, by names where those are as many.
func (e *encoder) tensorMap(names []string, kind string, index []int32) []obj {
	if len(names) != len(index) {
		names = apart(kind, e.names(index))
	}
	maps := []obj{}
	for i, name := range names {
		maps = append(maps, obj{mapName: name, mapIndex: uint32(index[i])})
	}
	return maps
}

func (e *encoder) node(n *graph.Node) error {
	c := codecOf(n.Op)
	if c == nil {
		return fmt.Errorf("%s has no form in a file", n)
	}
	options, operands := c.encode(n)
	inputs := slices.Concat(n.In, operands)
	if _, ok := n.Op.(graph.TransposeConv2D); ok {
		inputs = transposeConvInputs(inputs)
	}
	operator := obj{
		operatorCode: e.code(c, n), operatorInputs: e.values(inputs), operatorOutputs: e.values([]*graph.Value{n.Out}),
	}
	if c.options != 0 {
		operator = append(operator, c.options, options) // operatorOptionsType, operatorOptions
	}
	e.operators = append(e.operators, operator)
	return nil
}

// code is the index of the operator code for the node, and notes the release it asks for.
func (e *encoder) code(c *codec, n *graph.Node) uint32 {
	version := int32(c.version(n))
	if r := c.since[version-1]; older(e.runtime, r) {
		e.runtime = r
	}
	return e.codeOf(operatorVersion{c.code, version, ""})
}

// codeOf is the index of an operator code.
func (e *encoder) codeOf(v operatorVersion) uint32 {
	i, ok := e.version[v]
	if !ok {
		i = uint32(len(e.codes))
		e.version[v] = i
		e.codes = append(e.codes, obj{
			codeDeprecated: int8(min(v.code, 127)), codeCustom: v.custom, codeVersion: v.version, codeBuiltin: v.code,
		})
	}
	return i
}

// older compares release numbers part by part.
func older(a, b string) bool {
	number := func(s string) (n [3]int) {
		for i, part := range strings.SplitN(s, ".", 3) {
			n[i], _ = strconv.Atoi(part) // ours: see codecs
		}
		return n
	}
	x, y := number(a), number(b)
	return slices.Compare(x[:], y[:]) < 0
}

// values are the tensor indices of vs, which become tensors if they are not yet; -1 stands for nil.
func (e *encoder) values(vs []*graph.Value) []int32 {
	is := make([]int32, len(vs))
	for k, v := range vs {
		if v == nil {
			is[k] = -1
			continue
		}
		i, ok := e.index[v]
		if !ok {
			i = int32(len(e.tensors))
			e.index[v] = i
			e.tensors = append(e.tensors, e.tensor(v))
		}
		is[k] = i
	}
	return is
}

func (e *encoder) tensor(v *graph.Value) obj {
	t := obj{
		tensorShape: int32s(v.Type.Shape), tensorType: tensorTypes[v.Type.DType], tensorName: v.Name, tensorHasRank: true,
	}
	if v.Constant() {
		data, _ := binary.Append(make([]byte, 0, v.Type.Elements()), binary.LittleEndian, v.Data) // Check knows its type
		if v.Type.DType == graph.Int4 {
			data = packNibbles(data)
		}
		t[tensorBuffer] = e.buffer(data)
	}
	if v.Type.Quant != nil || v.Range != nil {
		t[tensorQuantization] = quantization(v)
	}
	return t
}

// quantization also keeps the range of a value; a tensor without scales is not quantized.
func quantization(v *graph.Value) obj {
	o := make(obj, quantAxis+1)
	if v.Range != nil {
		o[quantMin], o[quantMax] = []float32{v.Range.Min}, []float32{v.Range.Max}
	}
	if q := v.Type.Quant; q != nil {
		zero := make([]int64, len(q.Zero))
		for i, z := range q.Zero {
			zero[i] = int64(z)
		}
		o[quantScale], o[quantZero], o[quantAxis] = q.Scale, zero, int32(q.Axis)
	}
	return o
}

// packNibbles puts two int4, each in a byte of its own, into one byte, the first in the low half.
func packNibbles(data []byte) []byte {
	packed := make([]byte, (len(data)+1)/2)
	for i, q := range data {
		packed[i/2] |= q & 0xf << (i % 2 * 4)
	}
	return packed
}

func (e *encoder) buffer(data []byte) uint32 {
	e.buffers = append(e.buffers, obj{bufferData: blob(data)})
	return uint32(len(e.buffers) - 1)
}
