package native

import "mnet-edge/graph"

// window is the geometry of a convolution, with what the kernels here want of it.
type window struct{ graph.Geometry }

// newWindow is the geometry and the activation of a node with weights. The zeros of pad, a Pad's node or nil, become the
// window's.
func newWindow(n, pad *graph.Node) (w window, act graph.Activation) {
	w.Geometry, _ = n.Geometry()
	if pad != nil {
		by := pad.Op.(graph.Pad).Before
		w.H, w.W = pad.In[0].Type.Shape[1], pad.In[0].Type.Shape[2]
		w.Before[0] += by[1]
		w.Before[1] += by[2]
	}
	return w, n.Op.(graph.Activated).Fused()
}

// outside reports whether the window ever reaches beyond x.
func (g *window) outside() bool {
	for axis := range 2 {
		last := [2]int{g.OH, g.OW}[axis] - 1
		if _, ok := g.At(axis, 0, 0); !ok {
			return true
		}
		if _, ok := g.At(axis, last, [2]int{g.KH, g.KW}[axis]-1); !ok {
			return true
		}
	}
	return false
}

// pixels is the number of the result's pixels, taps that of a filter's.
func (g *window) pixels() int { return g.N * g.OH * g.OW }
func (g *window) taps() int   { return g.KH * g.KW }

// input is the pixel of x that tap (ky, kx) of output pixel m sees, or -1 in the padding.
func (g *window) input(m, ky, kx int) int {
	n, y, x := m/(g.OH*g.OW), m/g.OW%g.OH, m%g.OW
	iy, inY := g.At(0, y, ky)
	ix, inX := g.At(1, x, kx)
	if !inY || !inX {
		return -1
	}
	return (n*g.H+iy)*g.W + ix
}
