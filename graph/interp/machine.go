package interp

import (
	"fmt"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// Options choose the arithmetic and what is watched. The zero value is that of TFLite's reference kernels.
type Options struct {
	// Rounding is the runtime whose integer arithmetic is followed: see the package comment.
	Rounding quant.Rounding
	// Tap, if set, is called in each Run for every graph input and then for every node's value in execution order.
	// data is the Machine's own slice (see Run for its type) and holds only until Tap returns; Tap must not write to it.
	Tap func(v *graph.Value, data any)

	// Packs, if set, is shared by machines whose weights are the same slices, unchanged.
	Packs *Packs

	plain bool // the kernels of the specification throughout; tests compare the others with them
}

// A Machine runs one graph. It owns the buffers of its values, which take turns at them, and is for one goroutine at a time; any number of Machines
// may run the same graph at once, as long as nobody changes it.
type Machine struct {
	inputs, outputs []*graph.Value
	in, out         []any // their buffers
	steps           []step
	tap             func(*graph.Value, any)
}

// step computes one node: run fills data, the buffer of value.
type step struct {
	value *graph.Value
	data  any
	run   func()
}

// New prepares g, whatever its level. It returns an error for a graph that fails Check, and for what there is no kernel
// for: weights that are not constants, integer types other than int8 and int16 (uint8 only at Quantize and Dequantize),
// a sum that may exceed its accumulator, tensors of more than graph.MaxElements elements in all.
func New(g *graph.Graph, opts Options) (*Machine, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("interp: %w", err)
	}
	if opts.Rounding > quant.Float32 {
		return nil, fmt.Errorf("interp: unknown rounding %v", opts.Rounding)
	}
	room := graph.MaxElements
	for _, v := range g.Values() {
		if room -= v.Type.Elements(); room < 0 {
			return nil, fmt.Errorf("interp: the graph's tensors have more than %d elements", graph.MaxElements)
		}
	}
	c := compiler{Options: opts, buffers: newBuffers(g), data: map[*graph.Value]any{}, fixed: map[*graph.Value]bool{}}
	m := &Machine{inputs: g.Inputs, outputs: g.Outputs, tap: opts.Tap}
	for _, v := range g.Inputs {
		if err := c.alloc(v); err != nil {
			return nil, fmt.Errorf("interp: input %q: %w", v.Name, err)
		}
		m.in = append(m.in, c.data[v])
	}
	for i, n := range g.Nodes {
		run, err := c.node(n)
		if err != nil {
			return nil, fmt.Errorf("interp: %s: %w", n, err)
		}
		m.steps = append(m.steps, step{n.Out, c.data[n.Out], run})
		c.buffers.release(i, n, c.data)
	}
	for _, v := range g.Outputs {
		m.out = append(m.out, c.data[v])
	}
	return m, nil
}

// Run computes the graph's outputs from its inputs, one slice each in the graph's order: []float32, []int8, []uint8 or
// []int16 as the value's type says, row-major. It returns an error, before computing anything, when the number, type or
// length of the inputs is wrong.
//
// Inputs are copied. The result and the slices in it belong to the Machine and hold until the next Run. Run itself
// allocates nothing; a caller avoids the conversion of a slice to any by keeping it in an any.
func (m *Machine) Run(inputs ...any) ([]any, error) {
	if len(inputs) != len(m.in) {
		return nil, fmt.Errorf("interp: %d inputs: want %d", len(inputs), len(m.in))
	}
	for i, data := range inputs {
		if got, want := describe(data), describe(m.in[i]); got != want {
			return nil, fmt.Errorf("interp: input %q: %v: want %v", m.inputs[i].Name, got, want)
		}
	}
	for i, data := range inputs {
		assign(m.in[i], data)
		m.watch(m.inputs[i], m.in[i])
	}
	for i := range m.steps {
		s := &m.steps[i]
		s.run()
		m.watch(s.value, s.data)
	}
	return m.out, nil
}

func (m *Machine) watch(v *graph.Value, data any) {
	if m.tap != nil {
		m.tap(v, data)
	}
}

// kind is a slice's element type and length.
type kind struct {
	elem graph.DType
	n    int
	name string // of a type that no value has
}

func (k kind) String() string {
	if k.elem == graph.NoDType {
		return k.name
	}
	return fmt.Sprintf("%d elements of %v", k.n, k.elem)
}

func describe(data any) kind {
	switch d := data.(type) {
	case []float32:
		return kind{elem: graph.Float32, n: len(d)}
	case []int8:
		return kind{elem: graph.Int8, n: len(d)}
	case []uint8:
		return kind{elem: graph.UInt8, n: len(d)}
	case []int16:
		return kind{elem: graph.Int16, n: len(d)}
	}
	return kind{name: fmt.Sprintf("%T", data)}
}

// assign copies src, of the same type and length, to dst.
func assign(dst, src any) {
	switch d := dst.(type) {
	case []float32:
		copy(d, src.([]float32))
	case []int8:
		copy(d, src.([]int8))
	case []uint8:
		copy(d, src.([]uint8))
	case []int16:
		copy(d, src.([]int16))
	}
}
