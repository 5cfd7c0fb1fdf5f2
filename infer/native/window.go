package native

import "mnet-edge/graph"

// window is the geometry of a convolution: x is (n, h, w, c), the result (n, oh, ow, oc), a filter (kh, kw, depth).
// depth < c makes c/depth groups; a depthwise convolution has depth 1.
type window struct {
	n, h, w, c    int
	oh, ow, oc    int
	kh, kw, depth int
	stride        [2]int // {height, width}, as the next two
	dilation      [2]int
	before        [2]int // zeros before the data
}

// newWindow is the geometry and the activation of a Conv2D, DepthwiseConv2D or FullyConnected node; pad, if not nil, is
// the node of a Pad whose zeros become the window's.
func newWindow(n, pad *graph.Node) (window, graph.Activation) {
	x, filter, out := n.In[0].Type.Shape, n.In[1].Type.Shape, n.Out.Type.Shape
	slide := func(op graph.Window, depth int) window {
		w := window{
			n: x[0], h: x[1], w: x[2], c: x[3],
			oh: out[1], ow: out[2], oc: out[3],
			kh: filter[1], kw: filter[2], depth: depth,
			stride: op.Stride, dilation: op.Dilation,
		}
		for i := range 2 {
			_, w.before[i] = op.Out(i, x[1+i], filter[1+i])
		}
		if pad != nil {
			by := pad.Op.(graph.Pad).Before
			w.h, w.w = pad.In[0].Type.Shape[1], pad.In[0].Type.Shape[2]
			w.before[0] += by[1]
			w.before[1] += by[2]
		}
		return w
	}
	switch op := n.Op.(type) {
	case graph.Conv2D:
		return slide(op.Window, filter[3]), op.Act
	case graph.DepthwiseConv2D:
		return slide(op.Window, 1), op.Act
	case graph.FullyConnected: // the 1x1 convolution of 1x1 images
		oc, c := filter[0], filter[1]
		return window{
			n: n.Out.Type.Elements() / oc, h: 1, w: 1, c: c,
			oh: 1, ow: 1, oc: oc,
			kh: 1, kw: 1, depth: c,
			stride: [2]int{1, 1}, dilation: [2]int{1, 1},
		}, op.Act
	}
	return window{}, graph.Linear
}

// at is the position along an axis (of size pixels) that tap k of the window at position o sees; ok is false in the
// padding.
func (g *window) at(axis, size, o, k int) (pos int, ok bool) {
	pos = o*g.stride[axis] - g.before[axis] + k*g.dilation[axis]
	return pos, pos >= 0 && pos < size
}

// outside reports whether the window ever reaches beyond x.
func (g *window) outside() bool {
	for axis, size := range [2]int{g.h, g.w} {
		last := [2]int{g.oh, g.ow}[axis] - 1
		if _, ok := g.at(axis, size, 0, 0); !ok {
			return true
		}
		if _, ok := g.at(axis, size, last, [2]int{g.kh, g.kw}[axis]-1); !ok {
			return true
		}
	}
	return false
}

// pixels is the number of the result's pixels, taps that of a filter's.
func (g *window) pixels() int { return g.n * g.oh * g.ow }
func (g *window) taps() int   { return g.kh * g.kw }

// input is the pixel of x that tap (ky, kx) of output pixel m sees, or -1 in the padding.
func (g *window) input(m, ky, kx int) int {
	n, y, x := m/(g.oh*g.ow), m/g.ow%g.oh, m%g.ow
	iy, inY := g.at(0, g.h, y, ky)
	ix, inX := g.at(1, g.w, x, kx)
	if !inY || !inX {
		return -1
	}
	return (n*g.h+iy)*g.w + ix
}

// group is the first input channel that output channel o sees.
func (g *window) group(o int) int {
	perGroup := g.oc / (g.c / g.depth)
	return o / perGroup * g.depth
}
