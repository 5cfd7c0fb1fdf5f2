package graph

// Geometry is how the window of an operator moves: over an input (N, H, W, C), for a result (N, OH, OW, OC), with a filter
// (KH, KW, Depth) for each of OC channels; a pool's have depth 1 and no weights. Depth < C makes C/Depth groups: group k has the input
// channels from k*Depth, and OC/groups of the filters.
type Geometry struct {
	N, H, W, C    int
	OH, OW, OC    int
	KH, KW, Depth int
	Depthwise     bool   // the filters, of depth 1, lie as (KH, KW, OC) in memory, not as (OC, KH, KW, Depth)
	Stride        [2]int // {height, width}, as the next two
	Dilation      [2]int
	Before        [2]int // zeros before the data
}

// Geometry returns the geometry of the node's window; ok is false if its operator has none. A FullyConnected counts as a 1x1 convolution
// of 1x1 images. Of a TransposeConv2D, (H, W, C) are the result's and (OH, OW, OC) the input's: its window writes where a convolution's reads.
func (n *Node) Geometry() (g Geometry, ok bool) {
	in, out := func(i int) []int { return n.In[i].Type.Shape }, n.Out.Type.Shape
	switch op := n.Op.(type) {
	case Conv2D:
		return op.geometry(in(0), out, in(1)[1], in(1)[2], in(1)[3]), true
	case DepthwiseConv2D:
		g = op.geometry(in(0), out, in(1)[1], in(1)[2], 1)
		g.Depthwise = true
		return g, true
	case TransposeConv2D:
		return op.geometry(out, in(0), in(1)[1], in(1)[2], out[3]), true
	case Pool:
		return op.geometry(in(0), out, op.Size[0], op.Size[1], 1), true
	case FullyConnected:
		channels, depth := in(1)[0], in(1)[1]
		return Geometry{
			N: n.In[0].Type.Elements() / depth, H: 1, W: 1, C: depth,
			OH: 1, OW: 1, OC: channels,
			KH: 1, KW: 1, Depth: depth,
			Stride: [2]int{1, 1}, Dilation: [2]int{1, 1},
		}, true
	}
	return Geometry{}, false
}

// geometry is the window's with a kernel of that size and depth, over x and for out, both (N, H, W, C).
func (w Window) geometry(x, out []int, kh, kw, depth int) Geometry {
	g := Geometry{
		N: x[0], H: x[1], W: x[2], C: x[3],
		OH: out[1], OW: out[2], OC: out[3],
		KH: kh, KW: kw, Depth: depth,
		Stride: w.Stride, Dilation: w.Dilation,
	}
	_, g.Before[0] = w.Out(0, g.H, kh)
	_, g.Before[1] = w.Out(1, g.W, kw)
	return g
}

// At is the row (axis 0) or the column (axis 1) of the input that tap k of the window at position o of the result sees; ok is false in the padding.
func (g *Geometry) At(axis, o, k int) (pos int, ok bool) {
	pos = o*g.Stride[axis] - g.Before[axis] + k*g.Dilation[axis]
	return pos, pos >= 0 && pos < [2]int{g.H, g.W}[axis]
}

// PerGroup is how many channels of the result see the same input channels.
func (g *Geometry) PerGroup() int { return g.OC / (g.C / g.Depth) }

// Group is the first input channel that channel o of the result sees.
func (g *Geometry) Group(o int) int { return o / g.PerGroup() * g.Depth }

// Weight is where the weights of channel o of the result lie at tap ky*KW+kx: Depth of them, one for each input channel from Group(o) on.
func (g *Geometry) Weight(o, tap int) int {
	if g.Depthwise {
		return tap*g.OC + o
	}
	return (o*g.KH*g.KW + tap) * g.Depth
}

// OutputAxis is the dimension of the node's weight that counts channels of the result; false if it has no weight.
func (n *Node) OutputAxis() (axis int, ok bool) { return OutputAxis(n.Op) }

// OutputAxis is Node.OutputAxis of an operator.
func OutputAxis(op Op) (axis int, ok bool) {
	switch op.(type) {
	case Conv2D, FullyConnected:
		return 0, true
	case DepthwiseConv2D:
		return 3, true
	}
	return 0, false
}
