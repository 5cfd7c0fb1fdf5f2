package convert

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// islands are the nodes that compute in another type than the recipe's integers: in float32, because the recipe names them or because
// no integer kernel computes them, or in int16, as Recipe.KeepInt16 says. Without Recipe.Partial the first without a kernel
// is the error.
func (c *conversion) islands() (map[*graph.Node]graph.DType, error) {
	kept := map[*graph.Node]graph.DType{}
	for _, n := range c.g.Nodes {
		if slices.Contains(c.recipe.KeepFloat, n.Out.Name) {
			kept[n] = graph.Float32
			continue
		}
		err := graph.IntegerForm(n.Op, c.recipe.Scheme.activation())
		switch {
		case err == nil:
		case c.recipe.Partial:
			kept[n] = graph.Float32
		default:
			return nil, fmt.Errorf("layer %q: %w", n.Out.Name, err)
		}
	}
	for _, n := range c.g.Nodes {
		if slices.Contains(c.recipe.KeepInt16, n.Out.Name) {
			for _, m := range append([]*graph.Node{n}, n.Out.Uses...) {
				if _, is := kept[m]; !is && graph.IntegerForm(m.Op, graph.Int16) == nil {
					kept[m] = graph.Int16
				}
			}
		}
	}
	return kept, nil
}

// embed converts the values that an island reads, and those that others read of it. A value that several read is converted to
// a type once. What the graph gives is of the recipe's integers, of another type only where the last node is kept and the
// recipe wants float32.
func (c *conversion) embed(kept map[*graph.Node]graph.DType) {
	g, d := c.g, c.recipe.Scheme.activation()
	typeOf := func(n *graph.Node) graph.DType {
		if t, ok := kept[n]; ok {
			return t
		}
		return d
	}
	type form struct {
		v *graph.Value
		t graph.DType
	}
	made := map[form]*graph.Value{}
	var as func(next *graph.Node, v *graph.Value, have, want graph.DType) *graph.Value
	as = func(next *graph.Node, v *graph.Value, have, want graph.DType) *graph.Value {
		if have == want {
			return v
		}
		if to := made[form{v, want}]; to != nil {
			return to
		}
		from := v
		if have == graph.Int8 && want == graph.Int16 { // which no kernel takes at once
			from = as(next, v, have, graph.Float32)
		}
		to := c.converted(next, v, from, want)
		made[form{v, want}] = to
		return to
	}
	for _, n := range slices.Clone(g.Nodes) {
		for i, v := range n.In {
			if !v.Constant() {
				n.SetInput(i, as(n, v, typeOf(v.Def), typeOf(n)))
			}
		}
	}
	for i, v := range g.Outputs {
		if !c.recipe.FloatIO {
			g.Outputs[i] = as(nil, v, typeOf(v.Def), d)
		}
	}
}

// converted is from, the value v as it is or in float32, in another type by v's range, before next.
func (c *conversion) converted(next *graph.Node, v, from *graph.Value, to graph.DType) *graph.Value {
	name := v.Name + "." + to.String()
	if to == graph.Float32 {
		return c.g.Insert(next, name, graph.Dequantize{}, from)
	}
	q := c.g.Insert(next, name, graph.Quantize{To: to}, from)
	q.Type.Quant, q.Range = rangeQuant(to, *v.Range), v.Range
	return q
}
