package convert

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// The schemes that leave activations in float32 and need no samples: only weights change.

// halveWeights makes the weights and biases float16, each behind a DEQUANTIZE of its own: half the file, and
// arithmetic as before, since runtimes convert them when they load the model. What layers share they share still.
func halveWeights(c *conversion) error {
	halved := map[*graph.Value]*graph.Value{}
	for _, n := range slices.Clone(c.g.Nodes) {
		if !weighted(n) {
			continue
		}
		for i := range n.In[1:] {
			v := n.In[1+i]
			if halved[v] == nil {
				half, err := halves(v)
				if err != nil {
					return fmt.Errorf("layer %q: %w", n.Out.Name, err)
				}
				halved[v] = c.g.Insert(n, v.Name+".float32", graph.Dequantize{}, half)
			}
			n.SetInput(1+i, halved[v])
		}
	}
	dropRanges(c.g)
	return nil
}

// halves is a float32 constant in float16.
func halves(v *graph.Value) (*graph.Value, error) {
	data := make([]graph.Half, len(floats(v)))
	for i, x := range floats(v) {
		if !(abs(x) <= graph.MaxHalf) {
			return nil, fmt.Errorf("value %v at %d does not fit a float16", x, i)
		}
		data[i] = graph.NewHalf(x)
	}
	return graph.Const(v.Name, graph.Type{DType: graph.Float16, Shape: v.Type.Shape}, data), nil
}

// weightsOnly makes the weights int8 beside float32 activations: the runtime turns those into int8 in each run, by the
// range they have in it. Depthwise filters always have a scale for each channel, as the kernel asks, whatever the recipe.
func weightsOnly(c *conversion) error {
	for _, n := range c.g.Nodes {
		if !weighted(n) {
			continue
		}
		if op, ok := n.Op.(graph.FullyConnected); ok {
			op.Asymmetric = true
			n.Op = op
		}
		float := floats(n.In[1])
		err := c.roundWeight(n, graph.Int8, func(int) float32 { return 0 })
		if err == nil && len(n.In) > 2 {
			err = finite(floats(n.In[2]))
		}
		if err != nil {
			return fmt.Errorf("layer %q: %w", n.Out.Name, err)
		}
		l := newLayer(n)
		l.compareWeights(float)
		c.layers = append(c.layers, l)
	}
	dropRanges(c.g)
	return nil
}

// dropRanges forgets ranges that came with the file: they are no part of a finished model.
func dropRanges(g *graph.Graph) {
	for _, v := range g.Values() {
		v.Range = nil
	}
}
