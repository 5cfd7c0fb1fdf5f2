package convert

import (
	"context"
	"math"

	"mnet-edge/graph"
)

// Equalization uses that ReLU, padding with zeros and the mean commute with a positive factor: between two layers a
// channel may be divided by s > 0 and the weights that read it multiplied by s, and the network is the same function.
//
//	w1[i] / s[i], b1[i] / s[i]   ->   ReLU, PAD, MEAN   ->   w2[.., i] * s[i]
//
// Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.1.

// link is a place where a channel's scale is free: every channel of first's output goes to second alone.
type link struct {
	first, second *graph.Node
	channels      int
	out           *graph.Value // what second reads
}

// links finds the places, in execution order.
func links(g *graph.Graph) []link {
	var all []link
	for _, n := range g.Nodes {
		axis, _ := outputAxis(n.Op)
		if act := activation(n.Op); !weighted(n) || act != graph.Linear && act != graph.ReLU {
			continue
		}
		channels := n.In[1].Type.Shape[axis]
		next := sole(g, n.Out)
		for next != nil && commutes(next, channels) {
			next = sole(g, next.Out)
		}
		if next != nil && reads(next, channels) {
			all = append(all, link{n, next, channels, next.In[0]})
		}
	}
	return all
}

// sole is the one node that uses v; nil if there are more, or v is an output.
func sole(g *graph.Graph, v *graph.Value) *graph.Node {
	for _, o := range g.Outputs {
		if o == v {
			return nil
		}
	}
	if len(v.Uses) != 1 {
		return nil
	}
	return v.Uses[0]
}

// commutes reports whether scaling channels before the node is scaling them after it. They stay the last dimension.
func commutes(n *graph.Node, channels int) bool {
	switch op := n.Op.(type) {
	case graph.Pad:
		last := len(op.Before) - 1
		return op.Before[last] == 0 && op.After[last] == 0
	case graph.Pool:
		return op.Act == graph.Linear || op.Act == graph.ReLU
	case graph.Mean:
		return op.Axes[len(op.Axes)-1] < len(n.In[0].Type.Shape)-1
	case graph.Reshape:
		return lastDim(n.Out) == channels
	}
	return false
}

// reads reports whether second has the channels as its input, each with weights of its own.
func reads(second *graph.Node, channels int) bool {
	if !weighted(second) || lastDim(second.In[0]) != channels {
		return false
	}
	_, depthwise := second.Op.(graph.DepthwiseConv2D)
	return depthwise || lastDim(second.In[1]) == channels // not grouped
}

// weighted reports whether the node is a layer whose weights, and bias, are constants.
func weighted(n *graph.Node) bool {
	_, ok := outputAxis(n.Op)
	for _, v := range n.In[min(1, len(n.In)):] {
		ok = ok && v.Constant()
	}
	return ok && !n.In[0].Constant()
}

func lastDim(v *graph.Value) int { return v.Type.Shape[len(v.Type.Shape)-1] }

// inputChannel is the input channel that element at of a node's weight multiplies.
func inputChannel(n *graph.Node, at int) int {
	last := lastDim(n.In[1])
	if _, ok := n.Op.(graph.DepthwiseConv2D); ok {
		return at % last / (last / lastDim(n.In[0]))
	}
	return at % last
}

// scale applies the factors.
func (l link) scale(ctx context.Context, s []float64) error {
	if err := rescale(ctx, l.first, nil, s); err != nil {
		return err
	}
	return rescale(ctx, l.second, s, nil)
}

// rescale multiplies what a layer's weights read by factors in and divides what they give by out, channel by channel; nil leaves it.
func rescale(ctx context.Context, n *graph.Node, in, out []float64) error {
	w := n.In[1]
	from, to, last := floats(w), make([]float32, len(floats(w))), lastDim(w)
	axis, _ := outputAxis(n.Op)
	along := make([]float64, last) // the factors along the last dimension, which of a depthwise layer is the output's too
	for i := range along {
		along[i] = 1
		if in != nil {
			along[i] = in[inputChannel(n, i)]
		}
		if out != nil && axis > 0 {
			along[i] /= out[i]
		}
	}
	rows := len(from) / last
	err := parallel(ctx, rows, func(k int) {
		whole := 1.0
		if out != nil && axis == 0 {
			whole = 1 / out[k/(rows/len(out))]
		}
		row := to[k*last:][:last]
		for i, x := range from[k*last:][:last] {
			row[i] = float32(float64(x) * float64(along[i]*whole))
		}
	})
	if err != nil {
		return err
	}
	n.SetInput(1, graph.Const(w.Name, w.Type, to))
	if out != nil && len(n.In) > 2 {
		b := n.In[2]
		bias := make([]float32, len(out))
		for i, x := range floats(b) {
			bias[i] = float32(float64(x) / out[i])
		}
		n.SetInput(2, graph.Const(b.Name, b.Type, bias))
	}
	return nil
}

// equalize is the pass: by weights, for one scale a weight and for channels far out of balance, or by activations, for
// one scale a channel, or both.
func equalize(c *conversion) error {
	if done := c.works.equalized[c.recipe.Equalize]; done != nil {
		c.adopt(done)
		return nil
	}
	if done := c.works.equalized[ByWeights]; done != nil && c.recipe.Equalize == ByBoth {
		c.adopt(done)
	} else if c.recipe.Equalize != ByActivations {
		if err := equalizeWeights(c.ctx, c.g); err != nil {
			return err
		}
		if err := c.absorb(); err != nil {
			return err
		}
	}
	if c.recipe.Equalize != ByWeights {
		if err := c.equalizeActivations(); err != nil {
			return err
		}
	}
	c.works.equalized[c.recipe.Equalize], _ = c.g.Clone()
	return nil
}

// adopt gives the layers the weights and biases that they have in g, the same network equalized.
func (c *conversion) adopt(g *graph.Graph) {
	for i, n := range c.g.Nodes {
		for k, v := range g.Nodes[i].In {
			if v.Constant() && weighted(n) {
				n.SetInput(k, graph.Const(v.Name, v.Type, v.Data))
			}
		}
	}
}

// equalizeWeights makes the largest weight of every channel the same on both sides of each link:
//
//	s[i] = sqrt(r1[i] / r2[i]), r the largest magnitude among a channel's weights
//
// so that one scale serves all channels of a tensor. A link changes its neighbours, hence the repetition.
func equalizeWeights(ctx context.Context, g *graph.Graph) error {
	const sweeps, still = 40, 0.01
	all := links(g)
	for range sweeps {
		moved := 0.0
		for _, l := range all {
			axis, _ := outputAxis(l.first.Op)
			r1, r2 := make([]float64, l.channels), make([]float64, l.channels)
			w := floats(l.first.In[1])
			forChannels(l.first.In[1].Type.Shape, axis, func(i, at int) { r1[i] = max(r1[i], math.Abs(float64(w[at]))) })
			for at, w := range floats(l.second.In[1]) {
				i := inputChannel(l.second, at)
				r2[i] = max(r2[i], math.Abs(float64(w)))
			}
			s := make([]float64, l.channels)
			for i := range s {
				s[i] = 1
				if r1[i] > deadWeight && r2[i] > deadWeight {
					s[i] = math.Sqrt(r1[i] / r2[i])
				}
				moved = max(moved, s[i]-1, 1/s[i]-1)
			}
			if err := l.scale(ctx, s); err != nil {
				return err
			}
		}
		if moved < still {
			return nil
		}
	}
	return nil
}

// deadWeight is the largest weight of a channel that takes no part in equalization: scaled up, it would be noise.
const deadWeight = 1e-8

// equalizeActivations brings the channels of an activation nearer to one range. With a scale for each channel of a
// weight, dividing an output channel costs nothing, and neither does multiplying the filter of a depthwise channel: a
// channel whose largest value is a, of a tensor's A, can be brought to A altogether, s = a/A. Before a dense layer,
// channels share a weight scale, and what activations gain the weights lose: s = (a/A)^(1/4), which did best of the
// exponents 0 to 0.7 on a trained network. Source of the trade: Xiao et al., "SmoothQuant", 2023, equation 4.
//
// A channel that was nearly silent over the samples may be loud elsewhere, so that no factor goes under 1/maxGain.
func (c *conversion) equalizeActivations() error {
	const maxGain = 4
	all := links(c.g)
	peaks, err := c.channelPeaks(all)
	if err != nil {
		return err
	}
	in, out := map[*graph.Node][]float64{}, map[*graph.Node][]float64{}
	for k, l := range all {
		_, depthwise := l.second.Op.(graph.DepthwiseConv2D)
		top := 0.0
		for _, p := range peaks[k] {
			top = max(top, float64(p.most))
		}
		s := make([]float64, l.channels)
		for i := range s {
			s[i] = 1
			if p := float64(peaks[k][i].most); p > 0 {
				if s[i] = p / top; !depthwise {
					s[i] = math.Sqrt(math.Sqrt(s[i]))
				}
				s[i] = max(s[i], 1./maxGain)
			}
		}
		out[l.first], in[l.second] = s, s
	}
	for _, n := range c.g.Nodes {
		if in[n] != nil || out[n] != nil {
			if err := rescale(c.ctx, n, in[n], out[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// peak is the largest magnitude and the smallest value of a channel.
type peak struct{ most, least float32 }

// channelPeaks runs the network over some samples and gives the peaks of each link's channels.
func (c *conversion) channelPeaks(all []link) ([][]peak, error) {
	watch := map[*graph.Value]int{}
	for k, l := range all {
		watch[l.first.Out] = k
	}
	var part [][][]peak // of each hand
	crew := newCrew(c.ctx, &c.works.packs, c.g, func(h *hand, v *graph.Value, data any) {
		k, ok := watch[v]
		if !ok {
			return
		}
		ps, values := part[h.index][k], data.([]float32)
		for at := 0; at < len(values); at += len(ps) {
			for i, x := range values[at:][:len(ps)] {
				p := &ps[i] // what is not a number is calibration's to refuse
				if x > p.most || -x > p.most {
					p.most = abs(x)
				}
				if x < p.least {
					p.least = x
				}
			}
		}
	})
	for range crew.hand {
		ps := make([][]peak, len(all))
		for k, l := range all {
			ps[k] = make([]peak, l.channels)
			for i := range ps[k] {
				ps[k][i].least = float32(math.Inf(1))
			}
		}
		part = append(part, ps)
	}
	if err := crew.feed(c.peaks); err != nil {
		return nil, err
	}
	for _, other := range part[1:] {
		for k := range all {
			for i, p := range other[k] {
				q := &part[0][k][i]
				q.most, q.least = max(q.most, p.most), min(q.least, p.least)
			}
		}
	}
	return part[0], nil
}

// absorb moves what a channel never falls below into the next layer's bias, so that the channel's range begins at 0:
// equalization can leave biases that are large against the weights. It is the same function only where the next layer
// sees no padding. Source: Nagel et al. 2019, section 4.1.3, with the smallest value seen for beta - 3 gamma.
func (c *conversion) absorb() error {
	var all []link
	for _, l := range links(c.g) {
		if unpadded(l.second) && l.out == l.first.Out && len(l.first.In) > 2 && len(l.second.In) > 2 {
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		return nil
	}
	peaks, err := c.channelPeaks(all)
	if err != nil {
		return err
	}
	for k, l := range all {
		b1, b2 := l.first.In[2], l.second.In[2]
		first, second := make([]float32, l.channels), make([]float64, b2.Type.Elements())
		least := make([]float64, l.channels)
		for i, b := range floats(b1) {
			if p := float64(peaks[k][i].least); p > 0 && !math.IsInf(p, 1) {
				least[i] = p
			}
			first[i] = float32(float64(b) - least[i])
		}
		axis, _ := outputAxis(l.second.Op)
		forChannels(l.second.In[1].Type.Shape, axis, func(o, at int) {
			second[o] += float64(float64(floats(l.second.In[1])[at]) * least[inputChannel(l.second, at)])
		})
		sum := make([]float32, len(second))
		for o, b := range floats(b2) {
			sum[o] = float32(float64(b) + second[o])
		}
		l.first.SetInput(2, graph.Const(b1.Name, b1.Type, first))
		l.second.SetInput(2, graph.Const(b2.Name, b2.Type, sum))
	}
	return nil
}

// unpadded reports whether every window of the node lies inside its input.
func unpadded(n *graph.Node) bool {
	var w graph.Window
	switch op := n.Op.(type) {
	case graph.FullyConnected:
		return true
	case graph.Conv2D:
		w = op.Window
	case graph.DepthwiseConv2D:
		w = op.Window
	}
	k := n.In[1].Type.Shape
	return w.Padding == graph.Valid || k[1] == 1 && k[2] == 1
}
