package convert

import (
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// walk runs a quantized graph over samples a node at a time, each node over all samples before the next: a node can be
// changed by what its inputs turn out to be once everything before it has been changed.
type walk struct {
	c    *conversion
	n    int
	data map[*graph.Value][]any // of each value still needed, the tensor of each sample
}

// refine is the pass that goes over the quantized layers in execution order and improves each by what it gets from those before, which
// are improved already: its weights' rounding first, then its bias.
func refine(c *conversion) error {
	places := c.refining()
	samples := make([][]float32, len(places))
	for at, i := range places {
		samples[i] = c.samples[at]
	}
	return c.eachLayer(samples, func(n *graph.Node, x []any) error {
		if c.recipe.RoundWeights == On {
			if err := c.roundWeights(n, x); err != nil {
				return err
			}
		}
		if c.recipe.CorrectBias == On {
			return c.correctBias(n, x)
		}
		return nil
	})
}

// refining is the places of the samples that refine looks at, and the order of each among them. A trial's are those of the
// conversion that follows: none of those held out.
func (c *conversion) refining() map[int]int {
	var may []int
	for i := range c.samples {
		if c.inTrial() || !holdsOut(i) { // a trial has no others
			may = append(may, i)
		}
	}
	places := map[int]int{}
	for at, i := range evenly(runs(c.g, 32, 64), len(may)) {
		places[may[at]] = i
	}
	return places
}

// eachLayer calls f for every integer node that has weights, in execution order, with the values of its input for each sample.
func (c *conversion) eachLayer(samples [][]float32, f func(n *graph.Node, x []any) error) error {
	w := &walk{c, len(samples), map[*graph.Value][]any{}}
	in := c.g.Inputs[0]
	w.data[in] = inputs(in.Type, samples)
	for at, n := range c.g.Nodes {
		if weighted(n) && n.In[0].Type.DType != graph.Float32 {
			if err := f(n, w.data[n.In[0]]); err != nil {
				return err
			}
		}
		if err := w.step(n); err != nil {
			return err
		}
		for v := range w.data {
			if !slices.ContainsFunc(c.g.Nodes[at+1:], func(later *graph.Node) bool { return slices.Contains(later.In, v) }) {
				delete(w.data, v)
			}
		}
	}
	return nil
}

// centred are a tensor's integers less the zero point, which an int16 holds: those of an int16 tensor have none.
func centred(data any, q *quant.Params) []int16 {
	switch d := data.(type) {
	case []int8:
		_, zero := q.At(0)
		x := make([]int16, len(d))
		for i, v := range d[:len(x)] {
			x[i] = int16(v) - int16(zero)
		}
		return x
	case []int16:
		return d
	}
	return nil
}

// step runs one node over all samples.
func (w *walk) step(n *graph.Node) error {
	g := alone(n, n.Op)
	var from []*graph.Value // of g's inputs
	for i, v := range n.In {
		if !v.Constant() && !slices.Contains(n.In[:i], v) {
			from = append(from, v)
		}
	}
	out := make([]any, w.n)
	err := newCrew(w.c.ctx, &w.c.works.packs, g, nil).each(w.n, func(i int) []any {
		in := make([]any, len(from))
		for k, v := range from {
			in[k] = w.data[v][i]
		}
		return in
	}, func(_ *hand, i int, y []any) { out[i] = clone(y[0]) })
	w.data[n.Out] = out
	return err
}

// clone copies a tensor's elements.
func clone(data any) any {
	switch d := data.(type) {
	case []float32:
		return slices.Clone(d)
	case []int8:
		return slices.Clone(d)
	case []uint8:
		return slices.Clone(d)
	case []int16:
		return slices.Clone(d)
	}
	return nil
}
