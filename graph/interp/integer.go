package interp

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The int8 operators. A value is real = scale * (q - zero). Sums are exact in an int32 accumulator, so their order does
// not matter: budget proves at New, from the weights at hand, that no input can overflow one.

// integer returns what computes a node that takes and gives int8.
func (c *compiler) integer(n *graph.Node) (func(), error) {
	x, okX := c.data[n.In[0]].([]int8)
	out, okOut := c.data[n.Out].([]int8)
	if !okX || !okOut {
		return nil, fmt.Errorf("%v to %v: no such kernel", n.In[0].Type.DType, n.Out.Type.DType)
	}
	in, to := n.In[0].Type.Quant, n.Out.Type.Quant
	switch op := n.Op.(type) {
	case graph.Conv2D, graph.FullyConnected, graph.DepthwiseConv2D:
		return c.intConv(n)
	case graph.Activate: // XNNPACK leaves it to TFLite's kernel
		limit := activation(c.rounding(n), op.Act, to)
		rescale := shifted(quant.ActivationRequant(c.rounding(n), in.Scale[0], to.Scale[0]), in, to)
		return c.table(n, func(q int32) int32 { return limit.Clamp(rescale(q)) }), nil
	case graph.Mean:
		to, count := reduction(n.In[0].Type.Shape, op.Axes)
		if count > math.MaxInt32/255 {
			return nil, fmt.Errorf("the mean of %d elements may overflow its accumulator", count)
		}
		return meanInt(x, to, meanRequant[int8](c.rounding(n), count, in, n.Out.Type.Quant), out), nil
	}
	return nil, errors.New("no int8 kernel")
}

// intConv is a convolution of int8: (real) out = act(x * w + bias), bias and accumulator in units of x's scale times
// the weight's.
type intConv struct {
	window
	x     []int8 // (N, H, W, C)
	zeroX int32
	w     []int8  // as Geometry.Weight has them. Zero points are 0
	bias  []int32 // (OC)
	output
	out []int8 // (N, OH, OW, OC)
}

// output turns an accumulator into the int8 of the result.
type output struct {
	single  bool            // requant is by one product in float32
	requant []quant.Requant // one a channel
	product []float64       // in its stead, where not nil: see fullyConnected
	zero    int32
	limit   quant.Range // of the fused activation, less zero
}

// finish: q = clamp(requant(acc) + zero). Clamping before adding saves a saturated requant from overflowing.
func (t *output) finish(acc int32, o int) int8 {
	if t.product != nil {
		return int8(t.limit.Clamp(roundProduct(acc, t.product[o])) + t.zero)
	}
	return int8(t.limit.Clamp(t.requant[o].Apply(acc)) + t.zero)
}

func (c *compiler) intConv(n *graph.Node) (func(), error) {
	f := &intConv{x: c.data[n.In[0]].([]int8), out: c.data[n.Out].([]int8)}
	var act graph.Activation
	f.window, act = newWindow(n)
	var err error
	if f.w, f.bias, err = weights[int8, int32](c, n); err != nil {
		return nil, err
	}
	x, w, out := n.In[0].Type.Quant, n.In[1].Type.Quant, n.Out.Type.Quant
	sx, zx := x.At(0)
	so, zo := out.At(0)
	f.zeroX, f.zero = zx, zo
	r := c.rounding(n)
	f.single = r == quant.Float32
	f.limit = activation(r, act, out)
	f.limit.Min -= zo
	f.limit.Max -= zo
	_, fully := n.Op.(graph.FullyConnected)
	for o := range f.OC {
		sw, _ := w.At(o)
		switch {
		case fully && r == quant.Double:
			f.product = append(f.product, fullyConnected(sx, sw, so))
		case fully && len(w.Scale) == 1:
			f.requant = append(f.requant, quant.FullyConnectedRequant(r, sx, sw, so))
		default:
			f.requant = append(f.requant, quant.ConvRequant(r, sx, sw, so))
		}
	}
	if err := f.budget(); err != nil {
		return nil, err
	}
	switch {
	case c.plain, f.Depthwise && f.OC != f.C:
		return f.ref, nil
	case f.Depthwise && hasWider && f.C >= 16:
		return f.depthwiseWide(), nil
	case f.Depthwise:
		return f.depthwiseRows(), nil
	case hasWide && f.Depth == f.C:
		return f.wide(c), nil
	}
	return f.packed(), nil
}

// budget reports a channel o whose accumulator could leave int32. No term of its sum is larger than
// |w| * max(127 - zeroX, zeroX + 128), so neither the sum nor any partial sum, whatever the order, exceeds
// |bias[o]| + that bound added up. (With |w| <= 127 and no bias, depths up to 66,000 pass whatever the weights are.)
func (f *intConv) budget() error {
	most := int64(max(quant.Int8Max-f.zeroX, f.zeroX-quant.Int8Min))
	// Few layers need a look at their weights: with all of them at -128 the sum would still fit beside any of the biases.
	taps := int64(len(f.w) / f.OC)
	if widest := int32(math.MaxInt32 - min(taps*128*most, math.MaxInt32)); !slices.ContainsFunc(f.bias, func(b int32) bool {
		return b > widest || b < -widest
	}) {
		return nil
	}
	for o, b := range f.bias {
		sum := max(int64(b), -int64(b))
		for tap := range f.KH * f.KW {
			for _, w := range f.w[f.Weight(o, tap):][:f.Depth] {
				sum += most * max(int64(w), -int64(w))
			}
		}
		if sum > math.MaxInt32 {
			return fmt.Errorf("channel %d, with bias %d, may overflow its accumulator", o, b)
		}
	}
	return nil
}

// ref: acc[n,y,x,o] = bias[o] + sum over ky, kx, i of (in[n, y*sy-py+ky*dy, x*sx-px+kx*dx, g+i] - zeroX) *
// w[o,ky,kx,i], g being the first channel of o's group; taps in the padding add nothing, which is to say that they see
// real 0. out = clamp(requant(acc) + zero).
func (f *intConv) ref() {
	for n := range f.N {
		for y := range f.OH {
			for x := range f.OW {
				for o := range f.OC {
					acc := f.bias[o]
					for ky := range f.KH {
						for kx := range f.KW {
							iy, inY := f.At(0, y, ky)
							ix, inX := f.At(1, x, kx)
							if !inY || !inX {
								continue
							}
							in, w := f.x0(n, iy, ix)+f.Group(o), f.Weight(o, ky*f.KW+kx)
							for i := range f.Depth {
								acc += (int32(f.x[in+i]) - f.zeroX) * int32(f.w[w+i])
							}
						}
					}
					f.out[f.out0(n, y, x)+o] = f.finish(acc, o)
				}
			}
		}
	}
}

// meanInt returns what computes sum[j] = the sum of the x[i] with to[i] = j; out[j] = finish(sum[j]).
func meanInt[T int8 | int16](x []T, to []int, finish func(int32) T, out []T) func() {
	sum := make([]int32, len(out))
	return func() {
		clear(sum)
		for i, q := range x {
			sum[to[i]] += int32(q)
		}
		for j, s := range sum {
			out[j] = finish(s)
		}
	}
}
