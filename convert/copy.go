package convert

import (
	"maps"
	"slices"

	"mnet-edge/graph"
)

// duplicate is a copy of g that can be changed on its own, and for each value of g its twin in the copy. The data of
// constants, which nobody writes to, is shared.
func duplicate(g *graph.Graph) (*graph.Graph, map[*graph.Value]*graph.Value) {
	d := &graph.Graph{Name: g.Name, Level: g.Level, Meta: g.Meta}
	d.Meta.Extra = maps.Clone(g.Meta.Extra)
	twins := map[*graph.Value]*graph.Value{}
	for _, v := range g.Values() {
		twin := *v
		twin.Def, twin.Uses = nil, nil
		twins[v] = &twin
	}
	of := func(vs []*graph.Value) []*graph.Value {
		out := make([]*graph.Value, len(vs))
		for i, v := range vs {
			out[i] = twins[v]
		}
		return out
	}
	d.Inputs = of(g.Inputs)
	for _, n := range g.Nodes {
		twin := &graph.Node{Op: n.Op, In: of(n.In), Out: twins[n.Out]}
		twin.Out.Def = twin
		for _, v := range twin.In {
			v.Uses = append(v.Uses, twin)
		}
		d.Nodes = append(d.Nodes, twin)
	}
	d.Outputs = of(g.Outputs)
	return d, twins
}

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
