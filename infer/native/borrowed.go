package native

import (
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
)

// borrow returns what computes an int8 node that has no kernel here: a machine of graph/interp with this one node. It
// is no faster than that, but such operators are a small part of a network.
func (c *compiler) borrow(n *graph.Node) (work, error) {
	var in []*graph.Value
	var from []*buffer
	var data []any
	for _, v := range n.In {
		if v.Constant() {
			elements := v.Data
			if q, ok := elements.([]int8); ok {
				elements = slices.Clone(q) // the file may change
			}
			in = append(in, graph.Const(v.Name, v.Type, elements))
			continue
		}
		b, err := c.readInt8(v)
		if err != nil {
			return nil, err
		}
		in = append(in, &graph.Value{Name: v.Name, Type: v.Type})
		from = append(from, b)
		data = append(data, make([]int8, v.Type.Elements()))
	}
	if err := wantInt8(n.Out.Type.DType); err != nil {
		return nil, err
	}
	m, err := c.machine(n, in)
	if err != nil {
		return nil, err
	}
	out := c.alloc(n.Out)
	return alone(func() {
		for i, b := range from {
			b.unpack(data[i].([]int8))
		}
		result, err := m.Run(data...)
		if err != nil { // of the number, type or length of the inputs, which are those of the graph
			panic("native: " + err.Error())
		}
		out.pack(result[0].([]int8))
	}), nil
}

// machine is one of graph/interp that computes n of other values: constants and, in their order, its inputs.
func (c *compiler) machine(n *graph.Node, in []*graph.Value) (*interp.Machine, error) {
	g := graph.New(n.Out.Name)
	g.Level = graph.Quantized
	for _, v := range in {
		if !v.Constant() {
			g.Inputs = append(g.Inputs, v)
		}
	}
	y := g.Apply(n.Out.Name, n.Op, in...)
	y.Type.Quant = n.Out.Type.Quant
	g.Outputs = []*graph.Value{y}
	return interp.New(g, interp.Options{Rounding: c.rounding})
}

// unary returns what computes a function of one int8.
func (c *compiler) unary(n *graph.Node) (work, error) {
	if n.In[0].Type.DType != graph.Int8 || n.Out.Type.DType != graph.Int8 || n.In[0].Constant() {
		return c.borrow(n)
	}
	table, err := c.every(n, []int{byteValues})
	if err != nil {
		return nil, err
	}
	x, err := c.read(n.In[0])
	if err != nil {
		return nil, err
	}
	return c.lookup(x, c.alloc(n.Out), func(q int32) int32 { return int32(table[q-math.MinInt8]) }), nil
}

// pairs are the bytes of an operator's results for all bytes a and b: that of a and b at 256*a + b.
func (c *compiler) pairs(n *graph.Node) ([]byte, error) {
	result, err := c.every(n, []int{byteValues, 1}, []int{1, byteValues})
	if err != nil {
		return nil, err
	}
	table := make([]byte, len(result))
	for i, q := range result {
		table[i] = byte(q) ^ flip
	}
	return table, nil
}

const byteValues = math.MaxUint8 + 1

// every is what a machine of graph/interp makes of n with, for each input, all int8 in order, in tensors of the shapes
// given: the results of an operator whose elements are each made of those at the same place.
func (c *compiler) every(n *graph.Node, shapes ...[]int) ([]int8, error) {
	all := make([]int8, byteValues)
	for i := range all {
		all[i] = int8(i + math.MinInt8)
	}
	var in []*graph.Value
	var data []any
	for i, v := range n.In {
		t := v.Type
		if err := wantInt8(t.DType); err != nil {
			return nil, err
		}
		t.Shape = shapes[i]
		in, data = append(in, &graph.Value{Name: v.Name, Type: t}), append(data, all)
	}
	m, err := c.machine(n, in)
	if err != nil {
		return nil, err
	}
	result, err := m.Run(data...)
	if err != nil {
		return nil, err
	}
	return result[0].([]int8), nil
}

// unpack gives the elements of an int8; pack takes them.
func (b *buffer) unpack(to []int8) {
	for p := range b.pixels {
		row := to[p*b.channels:][:b.channels]
		for i, v := range b.data[p*b.stride:][:len(row)] {
			row[i] = int8(v ^ flip)
		}
	}
}

func (b *buffer) pack(from []int8) {
	for p := range b.pixels {
		row := from[p*b.channels:][:b.channels]
		to := b.data[p*b.stride:][:len(row)]
		for i, q := range row {
			to[i] = byte(q) ^ flip
		}
	}
}
