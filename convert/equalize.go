package convert

import (
	"context"
	"math"
	"slices"

	"mnet-edge/graph"
)

// Equalization uses that ReLU, padding with zeros, the mean and additions commute with a positive factor: on the way from the layers that
// write a channel to those that read it, it may be divided by s > 0 and the weights that read it multiplied by s, and the network is the
// same function.
//
//	w1[i] / s[i], b1[i] / s[i]   ->   ReLU, PAD, MEAN, ADD   ->   w2[.., i] * s[i]
//
// Without a ReLU on the way s may be negative too.
//
// Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.1.

// stream is a part of the network in which a channel's factor is free: layers write its channels, and nothing reads them but layers that
// have weights of their own for each. Between them is what commutes with factors, residual additions too.
type stream struct {
	writers, readers []*graph.Node
	channels         int
	signed           bool // factors may be negative: nothing on the way cuts off or compares
	direct           bool // what its one writer gives is what is read
	fixed            bool // something else sees the channels: no factor is free
}

// streams finds them, in execution order of their first writers.
func streams(g *graph.Graph) []*stream {
	var all []*stream
	of := map[*graph.Value]*stream{}
	for _, n := range g.Nodes {
		var s *stream
		switch from := of[n.In[0]]; {
		case weighted(n):
			if from != nil && reads(n, from.channels) {
				from.readers = append(from.readers, n)
			} else {
				fix(from)
			}
			s = &stream{writers: []*graph.Node{n}, channels: lastDim(n.Out), signed: true, direct: true}
			all = append(all, s)
		case adds(n):
			s = merge(of, from, of[n.In[1]])
		case from != nil && commutes(n, from.channels):
			s = from
			s.direct = false
		default:
			for _, v := range n.In {
				fix(of[v])
			}
		}
		if s == nil {
			continue
		}
		of[n.Out] = s
		switch pool, ok := n.Op.(graph.Pool); activation(n.Op) {
		case graph.Linear:
			s.signed = s.signed && !(ok && pool.Fn == graph.Max)
		case graph.ReLU:
			s.signed = false
		default:
			s.fixed = true
		}
	}
	for _, v := range g.Outputs {
		fix(of[v])
	}
	return slices.DeleteFunc(all, func(s *stream) bool { return s.fixed || len(s.readers) == 0 })
}

// fix takes the freedom from the factors of a stream, if it is one.
func fix(s *stream) {
	if s != nil {
		s.fixed = true
	}
}

// merge makes one stream of two whose values are added, and gives it to the values of both; nil if one of them is none.
func merge(of map[*graph.Value]*stream, a, b *stream) *stream {
	if a == nil || b == nil {
		fix(a)
		fix(b)
		return nil
	}
	a.direct = false
	if a == b {
		return a
	}
	a.writers, a.readers = append(a.writers, b.writers...), append(a.readers, b.readers...)
	a.signed, a.fixed = a.signed && b.signed, a.fixed || b.fixed
	for v, s := range of {
		if s == b {
			of[v] = a
		}
	}
	b.readers = nil // nobody's any more
	return a
}

// adds reports whether the node adds or subtracts two activations element by element.
func adds(n *graph.Node) bool {
	op, ok := n.Op.(graph.Arithmetic)
	return ok && (op.Fn == graph.Add || op.Fn == graph.Sub) && !n.In[0].Constant() && !n.In[1].Constant() &&
		slices.Equal(n.In[0].Type.Shape, n.In[1].Type.Shape)
}

// commutes reports whether scaling channels before the node is scaling them after it. They stay the last dimension.
func commutes(n *graph.Node, channels int) bool {
	switch op := n.Op.(type) {
	case graph.Pad:
		last := len(op.Before) - 1
		return last >= 0 && op.Before[last] == 0 && op.After[last] == 0
	case graph.Pool:
		return true
	case graph.Mean:
		return op.Axes[len(op.Axes)-1] < len(n.In[0].Type.Shape)-1
	case graph.Reshape:
		return lastDim(n.Out) == channels
	}
	return false
}

// reads reports whether a layer has the channels as its input, each with weights of its own.
func reads(n *graph.Node, channels int) bool {
	if lastDim(n.In[0]) != channels {
		return false
	}
	_, depthwise := n.Op.(graph.DepthwiseConv2D)
	return depthwise || lastDim(n.In[1]) == channels // not grouped
}

// values are those that the stream's readers read.
func (s *stream) values() []*graph.Value {
	var all []*graph.Value
	for _, n := range s.readers {
		if !slices.Contains(all, n.In[0]) {
			all = append(all, n.In[0])
		}
	}
	return all
}

// weighted reports whether the node is a layer whose weights, and bias, are constants.
func weighted(n *graph.Node) bool {
	_, ok := n.OutputAxis()
	for _, v := range n.In[min(1, len(n.In)):] {
		ok = ok && v.Constant()
	}
	return ok && !n.In[0].Constant()
}

// lastDim is the size of the last dimension, 0 of a scalar, which has none.
func lastDim(v *graph.Value) int {
	if rank := len(v.Type.Shape); rank > 0 {
		return v.Type.Shape[rank-1]
	}
	return 0
}

// inputChannel is the input channel that element at of a node's weight multiplies.
func inputChannel(n *graph.Node, at int) int {
	last := lastDim(n.In[1])
	if _, ok := n.Op.(graph.DepthwiseConv2D); ok {
		return at % last / (last / lastDim(n.In[0]))
	}
	return at % last
}

// scale applies the factors.
func (s *stream) scale(ctx context.Context, factors []float64) error {
	for _, n := range s.writers {
		if err := rescale(ctx, n, nil, factors); err != nil {
			return err
		}
	}
	for _, n := range s.readers {
		if err := rescale(ctx, n, factors, nil); err != nil {
			return err
		}
	}
	return nil
}

// rescale multiplies what a layer's weights read by factors in and divides what they give by out, channel by channel; nil leaves it.
func rescale(ctx context.Context, n *graph.Node, in, out []float64) error {
	w := n.In[1]
	from, to, last := floats(w), make([]float32, len(floats(w))), lastDim(w)
	axis, _ := n.OutputAxis()
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

// equalizeWeights makes the largest weight of every channel the same on both sides of each stream:
//
//	s[i] = sqrt(r1[i] / r2[i]), r the largest magnitude among a channel's weights
//
// so that one scale serves all channels of a tensor. A stream changes its neighbours, hence the repetition.
func equalizeWeights(ctx context.Context, g *graph.Graph) error {
	const sweeps, still = 40, 0.01
	all := streams(g)
	for range sweeps {
		moved := 0.0
		for _, s := range all {
			r1, r2 := make([]float64, s.channels), make([]float64, s.channels)
			for _, n := range s.writers {
				w := floats(n.In[1])
				axis, _ := n.OutputAxis()
				forChannels(n.In[1].Type.Shape, axis, func(i, at int) { r1[i] = max(r1[i], math.Abs(float64(w[at]))) })
			}
			for _, n := range s.readers {
				for at, w := range floats(n.In[1]) {
					i := inputChannel(n, at)
					r2[i] = max(r2[i], math.Abs(float64(w)))
				}
			}
			f := make([]float64, s.channels)
			for i := range f {
				f[i] = 1
				if r1[i] > deadWeight && r2[i] > deadWeight {
					f[i] = math.Sqrt(r1[i] / r2[i])
				}
				moved = max(moved, f[i]-1, 1/f[i]-1)
			}
			if err := s.scale(ctx, f); err != nil {
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

// equalizeActivations brings the channels of an activation nearer to one range, and lets those that have no ReLU share one that has
// less to hold.
func (c *conversion) equalizeActivations() error {
	all := streams(c.g)
	peaks, err := c.channelPeaks(all)
	if err != nil {
		return err
	}
	in, out := map[*graph.Node][]float64{}, map[*graph.Node][]float64{}
	for _, s := range all {
		f := s.factors(peaks)
		for _, n := range s.writers {
			out[n] = f
		}
		for _, n := range s.readers {
			in[n] = f
		}
	}
	for _, n := range c.g.Nodes {
		if in[n] != nil || out[n] != nil {
			if err := rescale(c.ctx, n, in[n], out[n]); err != nil {
				return err
			}
		}
	}
	for _, s := range all {
		if !s.wide() {
			continue
		}
		f, by := out[s.writers[0]], make([]float64, s.channels)
		for i, p := range peaks[s.writers[0].Out] {
			by[i] = min(float64(p.least)/f[i], float64(p.most)/f[i])
		}
		s.shift(by)
	}
	return nil
}

// factors are those that equalize the stream's activations by the peaks of the values that are read. With a scale for each channel of a
// weight, dividing an output channel costs nothing, and neither does multiplying the filter of a depthwise channel: a channel whose
// largest magnitude is a, of a tensor's A, can be brought to A altogether, s = a/A. Before a dense layer, channels share a weight scale, and
// what activations gain the weights lose: s = (a/A)^(1/2) before a layer that sees one position at a time, (a/A)^(1/4) before a larger window, in
// which more weights share it. Of 1/4, 1/2 and 3/4 these left the least noise on a D, a MobileNetV2 and a ResNet, or as little. Source of the
// trade: Xiao et al., "SmoothQuant", 2023, equation 4.
//
// Where channels may be negative, they are turned so that the longer end of each is the positive one: an int8 tensor then spends its integers
// on one long end, not on two. Where they may be shifted as well, all begin at 0, and it is their widths that are to be alike.
//
// A channel that was nearly silent over the samples may be loud elsewhere, so that no factor goes under 1/maxGain.
func (s *stream) factors(peaks map[*graph.Value][]peak) []float64 {
	const maxGain = 4
	dense, window := false, false
	for _, n := range s.readers {
		_, depthwise := n.Op.(graph.DepthwiseConv2D)
		_, conv := n.Op.(graph.Conv2D)
		kernel := n.In[1].Type.Shape
		dense, window = dense || !depthwise, window || conv && kernel[1]*kernel[2] > 1
	}
	wide := s.wide()
	share, turned := make([]float64, s.channels), make([]peak, s.channels)
	for _, v := range s.values() {
		top := 0.0
		for _, p := range peaks[v] {
			top = max(top, p.size(wide))
		}
		for i, p := range peaks[v] {
			if size := p.size(wide); size > 0 {
				share[i] = max(share[i], size/top)
			}
			turned[i].least, turned[i].most = min(turned[i].least, p.least), max(turned[i].most, p.most)
		}
	}
	f := make([]float64, s.channels)
	for i := range f {
		switch f[i] = 1; {
		case share[i] == 0:
			continue
		case window:
			f[i] = math.Sqrt(math.Sqrt(share[i]))
		case dense:
			f[i] = math.Sqrt(share[i])
		default:
			f[i] = share[i]
		}
		f[i] = max(f[i], 1./maxGain)
		if s.signed && -turned[i].least > turned[i].most {
			f[i] = -f[i]
		}
	}
	return f
}

// peak is the smallest and the largest value of a channel; of one without any values the first is greater.
type peak struct{ least, most float32 }

// size is the largest magnitude or, wide, the distance of the two ends.
func (p peak) size(wide bool) float64 {
	if wide {
		return float64(p.most) - float64(p.least)
	}
	return max(float64(p.most), -float64(p.least))
}

// channelPeaks runs the network over some samples and gives the peaks of the channels that the streams' readers read.
func (c *conversion) channelPeaks(all []*stream) (map[*graph.Value][]peak, error) {
	nothing := func() map[*graph.Value][]peak {
		peaks := map[*graph.Value][]peak{}
		for _, s := range all {
			for _, v := range s.values() {
				peaks[v] = slices.Repeat([]peak{{float32(math.Inf(1)), float32(math.Inf(-1))}}, s.channels)
			}
		}
		return peaks
	}
	var part []map[*graph.Value][]peak // of each hand
	crew := newCrew(c.ctx, &c.works.packs, c.g, func(h *hand, v *graph.Value, data any) {
		ps := part[h.index][v]
		if ps == nil {
			return
		}
		values := data.([]float32)
		for at := 0; at < len(values); at += len(ps) {
			for i, x := range values[at:][:len(ps)] {
				p := &ps[i] // what is not a number is calibration's to refuse
				if x > p.most {
					p.most = x
				}
				if x < p.least {
					p.least = x
				}
			}
		}
	})
	for range crew.hand {
		part = append(part, nothing())
	}
	if err := crew.feed(c.peaks); err != nil {
		return nil, err
	}
	for _, other := range part[1:] {
		for v, ps := range part[0] {
			for i, p := range other[v] {
				ps[i] = peak{min(ps[i].least, p.least), max(ps[i].most, p.most)}
			}
		}
	}
	return part[0], nil
}

// shifts reports whether something may be taken from each of the stream's channels and given to its readers' biases instead: all have
// a bias, and none sees padding, whose zeros would not be shifted.
func (s *stream) shifts() bool {
	return s.direct && len(s.writers[0].In) > 2 && !slices.ContainsFunc(s.readers, func(n *graph.Node) bool { return len(n.In) < 3 || !unpadded(n) })
}

// wide reports whether equalized channels may be turned and all begin at 0.
func (s *stream) wide() bool { return s.signed && s.shifts() }

// shift takes by from the channels.
func (s *stream) shift(by []float64) {
	first := s.writers[0]
	b := first.In[2]
	lower := make([]float32, s.channels)
	for i, x := range floats(b) {
		lower[i] = float32(float64(x) - by[i])
	}
	first.SetInput(2, graph.Const(b.Name, b.Type, lower))
	for _, n := range s.readers {
		w, b := floats(n.In[1]), n.In[2]
		more := make([]float64, b.Type.Elements())
		axis, _ := n.OutputAxis()
		forChannels(n.In[1].Type.Shape, axis, func(o, at int) { more[o] += float64(float64(w[at]) * by[inputChannel(n, at)]) })
		sum := make([]float32, len(more))
		for o, x := range floats(b) {
			sum[o] = float32(float64(x) + more[o])
		}
		n.SetInput(2, graph.Const(b.Name, b.Type, sum))
	}
}

// absorb moves what a channel never falls below into the next layers' biases, so that the channel's range begins at 0:
// equalization can leave biases that are large against the weights. Source: Nagel et al. 2019, section 4.1.3, with the smallest value
// seen for beta - 3 gamma.
func (c *conversion) absorb() error {
	all := slices.DeleteFunc(streams(c.g), func(s *stream) bool { return !s.shifts() })
	if len(all) == 0 {
		return nil
	}
	peaks, err := c.channelPeaks(all)
	if err != nil {
		return err
	}
	for _, s := range all {
		by := make([]float64, s.channels)
		for i, p := range peaks[s.writers[0].Out] {
			if least := float64(p.least); least > 0 && !math.IsInf(least, 1) {
				by[i] = least
			}
		}
		s.shift(by)
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
