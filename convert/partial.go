package convert

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// islands are the nodes that stay float32, because the recipe names them or because no integer kernel computes them.
// Without Recipe.Partial the first of the latter is the error.
func (c *conversion) islands() (map[*graph.Node]bool, error) {
	kept := map[*graph.Node]bool{}
	for _, n := range c.g.Nodes {
		if slices.Contains(c.recipe.KeepFloat, n.Out.Name) {
			kept[n] = true
			continue
		}
		err := graph.IntegerForm(n.Op, c.recipe.Scheme.activation())
		switch {
		case err == nil:
		case c.recipe.Partial:
			kept[n] = true
		default:
			return nil, fmt.Errorf("layer %q: %w", n.Out.Name, err)
		}
	}
	return kept, nil
}

// embed puts a DEQUANTIZE before each node that stays float32, and a QUANTIZE behind it, except between two of them. A
// value that several read is converted once. What the graph gives is of integers, float32 only where the last node is
// kept and the recipe wants it so.
func (c *conversion) embed(kept map[*graph.Node]bool) {
	g, d := c.g, c.recipe.Scheme.activation()
	floats, integers := map[*graph.Value]*graph.Value{}, map[*graph.Value]*graph.Value{}
	stays := func(v *graph.Value) bool { return v.Constant() || kept[v.Def] }
	for _, n := range slices.Clone(g.Nodes) {
		for i, v := range n.In {
			switch {
			case kept[n] && !stays(v):
				if floats[v] == nil {
					floats[v] = g.Insert(n, v.Name+".float32", graph.Dequantize{}, v)
				}
				n.SetInput(i, floats[v])
			case !kept[n] && !v.Constant() && kept[v.Def]:
				if integers[v] == nil {
					integers[v] = c.requantized(n, v, d)
				}
				n.SetInput(i, integers[v])
			}
		}
	}
	for i, v := range g.Outputs {
		if kept[v.Def] && !c.recipe.FloatIO {
			if integers[v] == nil {
				integers[v] = c.requantized(nil, v, d)
			}
			g.Outputs[i] = integers[v]
		}
	}
}

// requantized is the float32 value v in integers of type d, by its range, before next.
func (c *conversion) requantized(next *graph.Node, v *graph.Value, d graph.DType) *graph.Value {
	q := c.g.Insert(next, v.Name+"."+d.String(), graph.Quantize{To: d}, v)
	q.Type.Quant, q.Range = rangeQuant(d, *v.Range), v.Range
	return q
}
