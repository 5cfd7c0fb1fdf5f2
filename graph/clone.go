package graph

import "maps"

// Clone is a copy of g that can be changed on its own, and for each value of g its twin in the copy. The data of constants, which
// nobody writes to, is shared.
func (g *Graph) Clone() (*Graph, map[*Value]*Value) {
	d := &Graph{Name: g.Name, Level: g.Level, Meta: g.Meta}
	d.Meta.Extra = maps.Clone(g.Meta.Extra)
	twins := map[*Value]*Value{}
	for _, v := range g.Values() {
		twin := *v
		twin.Def, twin.Uses = nil, nil
		twins[v] = &twin
	}
	of := func(vs []*Value) []*Value {
		out := make([]*Value, len(vs))
		for i, v := range vs {
			out[i] = twins[v]
		}
		return out
	}
	d.Inputs = of(g.Inputs)
	for _, n := range g.Nodes {
		twin := &Node{Op: n.Op, In: of(n.In), Out: twins[n.Out]}
		twin.Out.Def = twin
		for _, v := range twin.In {
			v.Uses = append(v.Uses, twin)
		}
		d.Nodes = append(d.Nodes, twin)
	}
	d.Outputs = of(g.Outputs)
	return d, twins
}
