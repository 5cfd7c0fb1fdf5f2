package convert

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
)

// foldConstants computes what depends on constants alone, such as a learned tensor that is tiled before it is added: for every pass that
// follows, a node reads something that a sample decides. What the graph gives stays computed.
func foldConstants(c *conversion) error {
	room := graph.MaxElements // each runs in a graph of its own, which has no eye on the others
	for _, n := range slices.Clone(c.g.Nodes) {
		if !fixed(n) || slices.Contains(c.g.Outputs, n.Out) {
			continue
		}
		if room -= n.Out.Type.Elements(); room < 0 {
			return fmt.Errorf("layer %q: what depends on constants alone has more than %d elements", n.Out.Name, graph.MaxElements)
		}
		data, err := computed(n)
		if err != nil {
			return fmt.Errorf("layer %q: %w", n.Out.Name, err)
		}
		c.g.Replace(n.Out, graph.Const(n.Out.Name, n.Out.Type, data))
		if err := c.g.Remove(n); err != nil {
			return err
		}
	}
	return nil
}

// fixed reports whether a node depends on constants alone.
func fixed(n *graph.Node) bool {
	return !slices.ContainsFunc(n.In, func(v *graph.Value) bool { return !v.Constant() })
}

// computed is the value of a node whose inputs are constants.
func computed(n *graph.Node) ([]float32, error) {
	first, in := n.In[0], slices.Clone(n.In)
	x := &graph.Value{Name: first.Name, Type: first.Type} // a graph has an input
	for i, v := range in {
		if v == first {
			in[i] = x
		}
	}
	m, err := interp.New(alone(&graph.Node{In: in, Out: n.Out}, n.Op), interp.Options{})
	if err != nil {
		return nil, err
	}
	y, err := m.Run(first.Data)
	if err != nil {
		return nil, err
	}
	data, ok := y[0].([]float32)
	if !ok {
		return nil, fmt.Errorf("%s of constants is %v", n.Op.Name(), n.Out.Type.DType)
	}
	return slices.Clone(data), nil
}
