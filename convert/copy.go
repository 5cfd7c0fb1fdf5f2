package convert

import (
	"slices"

	"mnet-edge/graph"
)

// alone is a graph of one operation: op on the node's inputs, constants with it. The level is Quantized, which takes
// integers and floats.
func alone(n *graph.Node, op graph.Op) *graph.Graph {
	g := graph.New(n.Out.Name)
	g.Level = graph.Quantized
	in := make([]*graph.Value, len(n.In))
	for i, v := range n.In {
		if j := slices.Index(n.In[:i], v); j >= 0 {
			in[i] = in[j]
		} else if v.Constant() {
			in[i] = graph.Const(v.Name, v.Type, v.Data)
		} else {
			in[i] = g.Input(v.Name, v.Type)
		}
	}
	out := g.Apply(n.Out.Name, op, in...)
	out.Type.Quant = n.Out.Type.Quant
	g.Outputs = []*graph.Value{out}
	return g
}
