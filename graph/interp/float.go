package interp

import (
	"fmt"
	"math"

	"mnet-edge/graph"
)

// The float32 operators. A sum's order is part of its result: every sum here runs over its terms in the order of the
// weights in memory (ky, kx, i), starts at 0, and gets the bias last. Products are rounded before they are added: the
// conversion float32(a*b) forbids the fused multiply-add that Go may use on some processors.

// float returns what computes a node that takes and gives float32.
func (c *compiler) float(n *graph.Node) (func(), error) {
	if n.In[0].Type.DType != graph.Float32 {
		return nil, fmt.Errorf("%v input", n.In[0].Type.DType)
	}
	x, out := c.data[n.In[0]].([]float32), c.data[n.Out].([]float32)
	switch op := n.Op.(type) {
	case graph.Conv2D, graph.FullyConnected, graph.DepthwiseConv2D:
		if n.In[1].Type.DType != graph.Float32 {
			return c.hybridConv(n)
		}
		return c.floatConv(n)
	case graph.BatchNorm:
		var p [4][]float32 // gamma, beta, mean, variance
		for i := range p {
			p[i] = c.data[n.In[1+i]].([]float32)
		}
		return func() { batchNorm(x, p[0], p[1], p[2], p[3], op.Eps, out) }, nil
	case graph.Activate:
		lo, hi := bounds(op.Act)
		return func() {
			for i, v := range x {
				out[i] = min(max(v, lo), hi)
			}
		}, nil
	case graph.L2Norm:
		return rows(x, out, n.In[0].Type.Shape[len(n.In[0].Type.Shape)-1], l2Norm), nil
	case graph.Mean:
		to, count := reduction(n.In[0].Type.Shape, op.Axes)
		run := neighbours(n.In[0].Type.Shape, op.Axes)
		return func() { meanFloat(x, to, count, run, out) }, nil
	}
	return nil, fmt.Errorf("no float32 kernel")
}

// floatConv is a convolution of float32.
type floatConv struct {
	window
	x      []float32 // (N, H, W, C)
	w      []float32 // as Geometry.Weight has them
	bias   []float32 // (OC)
	lo, hi float32   // of the fused activation
	out    []float32 // (N, OH, OW, OC)
}

func (c *compiler) floatConv(n *graph.Node) (func(), error) {
	f := &floatConv{x: c.data[n.In[0]].([]float32), out: c.data[n.Out].([]float32)}
	var act graph.Activation
	f.window, act = newWindow(n)
	f.lo, f.hi = bounds(act)
	var err error
	if f.w, f.bias, err = weights[float32, float32](c, n); err != nil {
		return nil, err
	}
	switch {
	case c.plain, f.Depthwise && f.OC != f.C:
		return f.ref, nil
	case f.Depthwise && hasWider && f.C >= 16:
		return f.depthwiseWide(), nil
	case f.Depthwise:
		return f.depthwiseRows, nil
	case hasWide && f.Depth == f.C:
		return f.wide(c), nil
	}
	return f.packed(), nil
}

func bounds(act graph.Activation) (lo, hi float32) {
	l, h := act.Bounds()
	return float32(l), float32(h)
}

// ref: out[n,y,x,o] = act(sum over ky, kx, i of in[n, y*sy-py+ky*dy, x*sx-px+kx*dx, g+i] * w[o,ky,kx,i] + bias[o]),
// g being the first channel of o's group. Taps in the padding add nothing.
func (f *floatConv) ref() {
	for n := range f.N {
		for y := range f.OH {
			for x := range f.OW {
				for o := range f.OC {
					var sum float32
					for ky := range f.KH {
						for kx := range f.KW {
							iy, inY := f.At(0, y, ky)
							ix, inX := f.At(1, x, kx)
							if !inY || !inX {
								continue
							}
							in, w := f.x0(n, iy, ix)+f.Group(o), f.Weight(o, ky*f.KW+kx)
							for i := range f.Depth {
								sum += float32(f.x[in+i] * f.w[w+i])
							}
						}
					}
					f.out[f.out0(n, y, x)+o] = f.finish(sum, o)
				}
			}
		}
	}
}

// finish adds the bias of channel o and applies the activation.
func (f *floatConv) finish(sum float32, o int) float32 {
	return min(max(sum+f.bias[o], f.lo), f.hi)
}

// batchNorm: out[...,c] = (x[...,c] - mean[c]) * (gamma[c] / sqrt(variance[c] + eps)) + beta[c].
func batchNorm(x, gamma, beta, mean, variance []float32, eps float32, out []float32) {
	channels := len(gamma)
	for i, v := range x {
		c := i % channels
		scale := gamma[c] / float32(math.Sqrt(float64(variance[c]+eps)))
		out[i] = float32((v-mean[c])*scale) + beta[c]
	}
}

// meanFloat: out[j] = (sum of the x[i] with to[i] = j, in order) / count. Each run of so many x goes to as many neighbours.
func meanFloat(x []float32, to []int, count, run int, out []float32) {
	reduce(x, to, run, 0, func(sum, v float32) float32 { return sum + v }, out)
	for j := range out {
		out[j] /= float32(count)
	}
}
