package native

import (
	"errors"
	"fmt"
	"math"

	"mnet-edge/graph"
)

// conv is a convolution: (real) out = act(x * w + bias), bias and sums in units of x's scale times the weight's.
type conv struct {
	window
	*output
	x, out    *buffer
	padding   *buffer // what taps in the padding see; nil where there are none
	depthwise bool
	inputZero byte    // x's zero point, + 128
	weights   []int8  // (OC, KH, KW, depth); of a depthwise one (1, KH, KW, OC)
	bias      []int32 // (OC)
	most      []int64 // (OC): a bound of the sums' absolute values
}

func (c *compiler) conv(n *graph.Node) (func(), error) {
	x := n.In[0]
	pad := c.pads[x]
	if pad != nil {
		x = pad.In[0]
	}
	f := &conv{}
	var err error
	if f.x, err = c.read(x); err != nil {
		return nil, err
	}
	if n.Out.Type.DType != graph.Int8 {
		return nil, fmt.Errorf("%v: this engine computes in int8", n.Out.Type.DType)
	}
	if n.In[1].Type.DType != graph.Int8 {
		return nil, fmt.Errorf("%v weights: this engine computes with int8", n.In[1].Type.DType)
	}
	if !n.In[1].Constant() || !n.In[2].Constant() {
		return nil, errors.New("weights are not constants")
	}
	f.weights, f.bias = n.In[1].Data.([]int8), n.In[2].Data.([]int32)
	var act graph.Activation
	f.window, act = newWindow(n, pad)
	if f.pixels() > maxTable/f.taps() {
		return nil, fmt.Errorf("a window of %d taps at %d places: want at most %d in all", f.taps(), f.pixels(), maxTable)
	}
	f.output = newOutput(c.rounding, n, act, f.oc)
	_, zero := x.Type.Quant.At(0)
	f.inputZero = byte(zero) ^ flip
	_, f.depthwise = n.Op.(graph.DepthwiseConv2D)
	if err := f.bound(); err != nil {
		return nil, err
	}
	rows := c.rows(f)
	f.out = c.alloc(n.Out)
	run := c.fastConv(f)
	if run == nil {
		run = c.portable(f)
	}
	if rows == nil {
		return run, nil
	}
	return func() {
		rows()
		run()
	}, nil
}

// rows makes pixels of f.c channels out of those of a fully connected layer's input, where they are not: a dense layer
// may take the elements of its input, whatever their shape, as rows.
func (c *compiler) rows(f *conv) func() {
	x := f.x
	if x.channels == f.c {
		return nil
	}
	f.x = c.add(newBuffer(graph.Type{DType: graph.Int8, Shape: []int{f.n, f.c}}))
	to := f.x
	return func() { reshape(x, to) }
}

// maxTable bounds the number of offsets that a kernel's table may have: output pixels times taps.
const maxTable = 1 << 24

// bound fills most, from the weights at hand, and reports a channel whose sum could leave int32. No term of a sum is
// larger than |w| times x's largest distance from its zero point, so no partial sum is either, whatever the order.
func (f *conv) bound() error {
	distance := int64(max(f.inputZero, math.MaxUint8-f.inputZero))
	f.most = make([]int64, f.oc)
	for i, w := range f.weights {
		f.most[f.channel(i)] += distance * max(int64(w), -int64(w))
	}
	for o, b := range f.bias {
		if f.most[o] += max(int64(b), -int64(b)); f.most[o] > math.MaxInt32 {
			return fmt.Errorf("channel %d, with bias %d, may overflow its accumulator", o, b)
		}
	}
	return nil
}

// channel is the output channel of weights[i].
func (f *conv) channel(i int) int {
	if f.depthwise {
		return i % f.oc
	}
	return i / (len(f.weights) / f.oc)
}

// pad asks for the padding's buffer, with room for size bytes, if the window reaches into it.
func (c *compiler) pad(f *conv, size int) {
	if f.outside() {
		f.padding = c.zero(f.inputZero, size)
	}
}

// locate is the offset in the arena of an input pixel, or of the padding's stand-in for -1.
func (f *conv) locate(pixel int) int32 {
	if pixel < 0 {
		return int32(f.padding.offset)
	}
	return int32(f.x.offset + pixel*f.x.stride)
}

// offsets is, for every output pixel and tap, where in the arena the input begins.
func (f *conv) offsets() []int32 {
	at := make([]int32, 0, f.pixels()*f.taps())
	for m := range f.pixels() {
		for ky := range f.kh {
			for kx := range f.kw {
				at = append(at, f.locate(f.input(m, ky, kx)))
			}
		}
	}
	return at
}

// portable returns the convolution in Go.
func (c *compiler) portable(f *conv) func() {
	c.pad(f, f.c)
	var at []int32
	var arena []byte
	c.late = append(c.late, func() { at, arena = f.offsets(), c.arena })
	if f.depthwise {
		sum := make([]int32, f.oc)
		return func() { f.depthwisePixels(arena, at, sum) }
	}
	panels := f.pack()
	return func() { f.panels(arena, at, panels) }
}

// lanes is the number of output channels that the portable kernel computes together.
const lanes = 8

// pack puts the weights of eight output channels of one group side by side, in pairs: with a + b*2^32 for the weights
// of two channels, x*(a + b*2^32) adds x*a to the low and x*b to the high half of a 64-bit sum. The halves interfere
// only by the borrow of a negative low half, which unpair takes back.
func (f *conv) pack() [][lanes / 2]int64 {
	perGroup, terms := f.oc/(f.c/f.depth), f.taps()*f.depth
	var packed [][lanes / 2]int64
	for first := 0; first < f.oc; first += f.width(first) {
		panel := make([][lanes / 2]int64, terms)
		for lane := range min(lanes, perGroup-first%perGroup) {
			for k, w := range f.weights[(first+lane)*terms:][:terms] {
				panel[k][lane/2] += int64(w) << (lane % 2 * 32)
			}
		}
		packed = append(packed, panel...)
	}
	return packed
}

// width is the number of channels of the panel that begins at channel first.
func (f *conv) width(first int) int {
	perGroup := f.oc / (f.c / f.depth)
	return min(lanes, perGroup-first%perGroup)
}

func unpair(sum int64, half int) int32 {
	low := int32(sum)
	if half == 0 {
		return low
	}
	return int32((sum - int64(low)) >> 32)
}

// panels: sum[m,o] = bias[o] + the sum over taps and i of (x[tap of m, group + i] - zero) * w[o, tap, i].
func (f *conv) panels(arena []byte, at []int32, panels [][lanes / 2]int64) {
	taps, out := f.taps(), f.out.data
	zero := int64(f.inputZero)
	for first := 0; first < f.oc; first += f.width(first) {
		panel := panels[:taps*f.depth]
		panels = panels[taps*f.depth:]
		group, width := f.group(first), f.width(first)
		for m := range f.pixels() {
			var sum [lanes / 2]int64
			for t, offset := range at[m*taps:][:taps] {
				dot(&sum, arena[int(offset)+group:][:f.depth], panel[t*f.depth:], zero)
			}
			for lane := range width {
				o := first + lane
				out[m*f.out.stride+o] = f.finish(f.bias[o]+unpair(sum[lane/2], lane%2), o)
			}
		}
	}
}

// dot: sum[pair] += (x[k] - zero) * w[k][pair].
func dot(sum *[lanes / 2]int64, x []byte, w [][lanes / 2]int64, zero int64) {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	w = w[:len(x)]
	for k, q := range x {
		v, r := int64(q)-zero, &w[k]
		s0 += v * r[0]
		s1 += v * r[1]
		s2 += v * r[2]
		s3 += v * r[3]
	}
	sum[0], sum[1], sum[2], sum[3] = s0, s1, s2, s3
}

// depthwisePixels: sum[m,c*M+k] = bias + the sum over taps of (x[tap of m, c] - zero) * w[tap, c*M+k], M being OC/C.
func (f *conv) depthwisePixels(arena []byte, at []int32, sum []int32) {
	taps, multiplier, zero := f.taps(), f.oc/f.c, int32(f.inputZero)
	for m := range f.pixels() {
		copy(sum, f.bias)
		for t, offset := range at[m*taps:][:taps] {
			x, w := arena[offset:][:f.c], f.weights[t*f.oc:][:f.oc]
			if multiplier == 1 {
				w := w[:len(x)]
				sum := sum[:len(x)]
				for c, q := range x {
					sum[c] += (int32(q) - zero) * int32(w[c])
				}
				continue
			}
			for o, v := range w {
				sum[o] += (int32(x[o/multiplier]) - zero) * int32(v)
			}
		}
		out := f.out.data[m*f.out.stride:][:f.oc]
		for o, s := range sum {
			out[o] = f.finish(s, o)
		}
	}
}
