package convert

import (
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// refining is the samples that bias correction and adaptive rounding look at, fewer in a trial.
func (c *conversion) refining() [][]float32 {
	if c.memo != nil {
		return spread(c.samples, 32)
	}
	return spread(c.samples, 128)
}

// walk runs a quantized graph over samples a node at a time, each node over all samples before the next: a node can be
// changed by what its inputs turn out to be once everything before it has been changed.
type walk struct {
	c    *conversion
	n    int
	data map[*graph.Value][]any // of each value still needed, the tensor of each sample
}

// eachLayer calls f for every integer node that has weights, in execution order, with the values of its input, integers
// less the zero point.
func (c *conversion) eachLayer(samples [][]float32, f func(n *graph.Node, x [][]int16) error) error {
	w := &walk{c, len(samples), map[*graph.Value][]any{}}
	in := c.g.Inputs[0]
	tensors, err := inputs(in.Type, samples)
	if err != nil {
		return err
	}
	w.data[in] = tensors
	for at, n := range c.g.Nodes {
		if weighted(n) && n.In[0].Type.DType != graph.Float32 {
			x := make([][]int16, w.n)
			for i, t := range w.data[n.In[0]] {
				x[i] = centred(t, n.In[0].Type.Quant)
			}
			if err := f(n, x); err != nil {
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
		for i, v := range d {
			x[i] = int16(int32(v) - zero)
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
	crew, err := newCrew(w.c.ctx, g, nil)
	if err != nil {
		return err
	}
	var from []*graph.Value // of g's inputs
	for i, v := range n.In {
		if !v.Constant() && !slices.Contains(n.In[:i], v) {
			from = append(from, v)
		}
	}
	out := make([]any, w.n)
	err = crew.each(w.n, func(h *hand, i int) error {
		in := make([]any, len(from))
		for k, v := range from {
			in[k] = w.data[v][i]
		}
		y, err := h.Run(in...)
		if err == nil {
			out[i] = clone(y[0])
		}
		return err
	})
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

// correctBias is the pass. Rounding weights shifts what a channel sums up to: the error has a mean, since the inputs of
// a ReLU network do. It is measured before the activation and taken from the bias:
//
//	b[c] += E[(w x + b)[c]] - E[(w' x' + b')[c]]
//
// x over the samples and all positions, primes for the quantized network, whose earlier layers are already corrected.
// Source: Nagel et al. 2019, section 4.2 and appendix D (empirical bias correction).
func correctBias(c *conversion) error {
	samples := c.refining()
	wanted, err := c.floatMeans(samples)
	if err != nil {
		return err
	}
	return c.eachLayer(samples, func(n *graph.Node, x [][]int16) error {
		want, ok := wanted[n.Out]
		if !ok || len(n.In) < 3 {
			return nil
		}
		got, err := c.quantizedMeans(n, x)
		if err != nil {
			return err
		}
		b := n.In[2]
		half := math.Floor(biasMost(n.In[0].Type.DType) / 2) // the other half is left to the sum of products
		bias := make([]float64, len(want))
		old := wholes(b)
		for i := range bias {
			s, _ := b.Type.Quant.At(i)
			q := old[i] + math.Round((want[i]-got[i])/float64(s))
			bias[i] = min(max(q, -half), half)
		}
		n.SetInput(2, biasConst(b.Name, b.Type, bias))
		return nil
	})
}

// wholes are a bias's integers.
func wholes(b *graph.Value) []float64 {
	var all []float64
	switch d := b.Data.(type) {
	case []int32:
		for _, q := range d {
			all = append(all, float64(q))
		}
	case []int64:
		for _, q := range d {
			all = append(all, float64(q))
		}
	}
	return all
}

// floatMeans is, for every layer of the quantized graph that has a twin in the float one, the mean of each channel of
// the twin before its activation.
func (c *conversion) floatMeans(samples [][]float32) (map[*graph.Value][]float64, error) {
	g, twins := duplicate(c.float)
	layers := map[*graph.Value]*sums{}
	means := map[*graph.Value][]float64{}
	for _, n := range slices.Clone(g.Nodes) {
		if weighted(n) {
			linearize(g, n)
			layers[n.Out] = newSums(len(samples), lastDim(n.Out))
		}
	}
	crew, err := newCrew(c.ctx, g, func(h *hand, v *graph.Value, data any) {
		if s := layers[v]; s != nil {
			s.add(h.at, data.([]float32))
		}
	})
	if err != nil {
		return nil, err
	}
	if err := crew.feed(samples); err != nil {
		return nil, err
	}
	for v, twin := range c.twin {
		if s := layers[twins[twin]]; s != nil {
			means[v] = s.mean()
		}
	}
	return means, nil
}

// linearize takes the activation out of an operator and makes it a node of its own.
func linearize(g *graph.Graph, n *graph.Node) {
	act := activation(n.Op)
	if act == graph.Linear {
		return
	}
	n.Op = withActivation(n.Op, graph.Linear)
	at := slices.Index(g.Nodes, n)
	var next *graph.Node
	if at+1 < len(g.Nodes) {
		next = g.Nodes[at+1]
	}
	v := g.Insert(next, n.Out.Name, graph.Activate{Act: act}, n.Out)
	v.Range = n.Out.Range
	g.Replace(n.Out, v)
	// Replace has made the activation its own input.
	v.Def.SetInput(0, n.Out)
}

// quantizedMeans is the mean of each channel that the layer's integer weights give for its integer inputs.
func (c *conversion) quantizedMeans(n *graph.Node, x [][]int16) ([]float64, error) {
	real := *n
	real.In = slices.Clone(n.In)
	real.In[1], real.In[2] = dequantized(n.In[1]), dequantized(n.In[2])
	in := n.In[0].Type
	real.In[0] = &graph.Value{Name: n.In[0].Name, Type: float32Type(in.Shape...)}
	plain := *n.Out
	plain.Type = float32Type(n.Out.Type.Shape...)
	real.Out = &plain
	crew, err := newCrew(c.ctx, alone(&real, withActivation(n.Op, graph.Linear)), nil)
	if err != nil {
		return nil, err
	}
	scale, _ := in.Quant.At(0)
	s := newSums(len(x), lastDim(n.Out))
	err = crew.each(len(x), func(h *hand, i int) error {
		values := make([]float32, len(x[i]))
		for k, q := range x[i] {
			values[k] = scale * float32(q)
		}
		y, err := h.Run(values)
		if err == nil {
			s.add(i, y[0].([]float32))
		}
		return err
	})
	return s.mean(), err
}

// dequantized is the real constant that an integer one stands for.
func dequantized(v *graph.Value) *graph.Value {
	out := make([]float32, v.Type.Elements())
	forChannels(v.Type.Shape, v.Type.Quant.Axis, func(channel, at int) {
		s, zero := v.Type.Quant.At(channel)
		switch d := v.Data.(type) {
		case []int8:
			out[at] = s * float32(int32(d[at])-zero)
		case []int32:
			out[at] = float32(float64(s) * float64(int64(d[at])-int64(zero)))
		case []int64:
			out[at] = float32(float64(s) * float64(d[at]-int64(zero)))
		}
	})
	return graph.Const(v.Name, float32Type(v.Type.Shape...), out)
}

// sums are the sums of an activation's channels, kept apart by sample until the end, so that their order is always the
// same.
type sums struct {
	part  [][]float64
	count int // values a channel has in one sample
}

func newSums(samples, channels int) *sums {
	s := &sums{part: make([][]float64, samples)}
	for i := range s.part {
		s.part[i] = make([]float64, channels)
	}
	return s
}

func (s *sums) add(sample int, data []float32) {
	p := s.part[sample]
	for at := 0; at+len(p) <= len(data); at += len(p) {
		for i, x := range data[at : at+len(p)] {
			p[i] += float64(x)
		}
	}
	if sample == 0 {
		s.count = len(data) / len(p)
	}
}

func (s *sums) mean() []float64 {
	m := make([]float64, len(s.part[0]))
	for _, p := range s.part {
		for i, x := range p {
			m[i] += x
		}
	}
	for i := range m {
		m[i] /= float64(s.count * len(s.part))
	}
	return m
}
