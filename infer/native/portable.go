package native

import (
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The family portable: convolutions in plain Go, for what no assembler family has a kernel for.

// portable returns the convolution in Go.
func (c *compiler) portable(f *conv) work {
	if f.Depthwise {
		return c.portableDepthwise(f)
	}
	c.pad(f, f.C)
	var at []int32
	var arena []byte
	c.charge(f.pixels() * f.taps() * 4)
	c.late = append(c.late, func() { at, arena = f.offsets(1), c.arena })
	panels, finish := f.pack(), c.finisher(f)
	taps := make([]byte, gathered*f.taps()*f.Depth)
	return alone(func() { f.panels(arena, at, panels, taps, finish) })
}

// lanes is the number of output channels that the portable kernel computes together.
const lanes = 8

// gathered is the number of pixels whose taps are brought together for the panels to pass over.
const gathered = 16

// pack puts the weights of eight output channels of one group side by side, in pairs: with a + b*2^32 for the weights
// of two channels, x*(a + b*2^32) adds x*a to the low and x*b to the high half of a 64-bit sum. The halves interfere
// only by the borrow of a negative low half, which unpair takes back. The processor's one multiplier is what limits the
// kernel, and this is two products for one.
func (f *conv) pack() [][lanes / 2]int64 {
	terms := f.taps() * f.Depth
	var packed [][lanes / 2]int64
	for first := 0; first < f.OC; first += f.width(first) {
		panel := make([][lanes / 2]int64, terms)
		for lane := range f.width(first) {
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
	perGroup := f.PerGroup()
	return min(lanes, perGroup-first%perGroup)
}

func unpair(sum int64, half int) int32 {
	low := int32(sum)
	if half == 0 {
		return low
	}
	return int32((sum - int64(low)) >> 32)
}

// panels: sum[m,o] = bias[o] + the sum over taps and i of (x[tap of m, group + i] - zero) * w[o, tap, i]. It gathers the
// taps of some pixels of a group, and takes all panels of the group over them.
func (f *conv) panels(arena []byte, at []int32, packed [][lanes / 2]int64, taps []byte, finish finisher) {
	terms, perGroup, zero := f.taps()*f.Depth, f.PerGroup(), int64(f.inputZero)
	var rows [gathered][]byte
	for first := 0; first < f.pixels(); first += gathered {
		n := min(gathered, f.pixels()-first)
		panels := packed
		for o := 0; o < f.OC; {
			if o%perGroup == 0 {
				for i := range n {
					rows[i] = f.gather(arena[f.Group(o):], at[(first+i)*f.taps():][:f.taps()], taps[i*terms:][:terms])
				}
			}
			panel, width := panels[:terms], f.width(o)
			for i, x := range rows[:n] {
				var pairs [lanes / 2]int64
				dot(&pairs, x, panel, zero)
				var sum [lanes]int32
				for lane := range sum {
					sum[lane] = unpair(pairs[lane/2], lane%2)
				}
				finish.add(f.out.data[(first+i)*f.out.stride+o:], sum[:width], f.bias[o:], o)
			}
			panels = panels[terms:]
			o += width
		}
	}
}

// gather returns the inputs of a pixel one after the other: where they lie, if there is one tap, or else in room.
func (f *conv) gather(arena []byte, at []int32, room []byte) []byte {
	if len(at) == 1 {
		return arena[at[0]:][:f.Depth]
	}
	to := room
	for t := 0; t < len(at); {
		from, n := at[t], f.Depth
		for t++; t < len(at) && at[t] == from+int32(n) && f.Depth == f.C; t++ { // a neighbour in memory
			n += f.Depth
		}
		copy(to[:n], arena[from:])
		to = to[n:]
	}
	return room
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

// portableDepthwise is portable for depthwise convolutions. An input channel of which several output channels are made is
// repeated first.
func (c *compiler) portableDepthwise(f *conv) work {
	g, repeat := f, func() {}
	if f.OC > f.C {
		g, repeat = c.repeated(f)
	}
	c.pad(g, g.C)
	var at []int32
	var arena []byte
	c.charge(g.pixels() * g.taps() * 4)
	c.late = append(c.late, func() { at, arena = g.offsets(1), c.arena })
	sum, bias, finish := make([]int32, g.OC), make([]int32, g.OC), c.finisher(g)
	for o := range bias {
		bias[o] = g.biasOf(o, int32(g.inputZero))
	}
	weights := slices.Clone(g.weights) // the file may change
	return alone(func() {
		repeat()
		taps := g.taps()
		for m := range g.pixels() {
			depthwisePixel(arena, at[m*taps:][:taps], weights, bias, sum)
			finish.row(g.out.data[m*g.out.stride:], sum, 0)
		}
	})
}

// repeated is the depthwise convolution f as one that makes one channel of each, and what repeats the input's channels
// before it.
func (c *compiler) repeated(f *conv) (g *conv, repeat func()) {
	x, times := f.x, f.OC/f.C
	g = new(conv)
	*g = *f
	g.C = f.OC
	g.x = c.add(newBuffer(graph.Type{DType: graph.Int8, Shape: []int{f.N, f.H, f.W, f.OC}}))
	return g, func() { repeatChannels(x, g.x, times) }
}

// repeatChannels copies x to out, each channel so many times.
func repeatChannels(x, out *buffer, times int) {
	for p := range x.pixels {
		to := out.data[p*out.stride:][:out.channels]
		for _, b := range x.data[p*x.stride:][:x.channels] {
			for i := range to[:times] {
				to[i] = b
			}
			to = to[times:]
		}
	}
}

// depthwisePixel: sum[c] = bias[c] + the sum over taps of x[tap,c] * w[tap,c], three taps at a time.
func depthwisePixel(arena []byte, at []int32, w []int8, bias, sum []int32) {
	n := len(sum)
	for len(at) >= 3 {
		x0, x1, x2 := arena[at[0]:][:n], arena[at[1]:][:n], arena[at[2]:][:n]
		w0, w1, w2 := w[:n], w[n:][:n], w[2*n:][:n]
		for c, b := range bias[:n] {
			sum[c] = b + int32(x0[c])*int32(w0[c]) + int32(x1[c])*int32(w1[c]) + int32(x2[c])*int32(w2[c])
		}
		at, w, bias = at[3:], w[3*n:], sum
	}
	for _, offset := range at {
		x, w0 := arena[offset:][:n], w[:n]
		for c, b := range bias[:n] {
			sum[c] = b + int32(x[c])*int32(w0[c])
		}
		w, bias = w[n:], sum
	}
}

// unclamped reports whether XNNPACK's arithmetic holds for every sum without the clamp that it puts before rounding to
// an integer: no sum times its scale comes near 2^31.
func (f *conv) unclamped() bool {
	for o, most := range f.most {
		if float64(most)*float64(f.requant[o].Ratio()) > 1<<30 {
			return false
		}
	}
	return true
}

// finisher makes bytes of sums.
type finisher struct {
	*output
	ratio []float32 // one a channel, if that is all there is to XNNPACK's rounding; else nil
}

func (c *compiler) finisher(f *conv) finisher {
	t := finisher{output: f.output}
	if c.rounding == quant.Float32 && f.unclamped() {
		for _, r := range f.requant {
			t.ratio = append(t.ratio, r.Ratio())
		}
	}
	return t
}

// add is row of sums that lack the bias.
func (t finisher) add(to []byte, sum, bias []int32, o int) {
	for i, b := range bias[:len(sum)] {
		sum[i] += b
	}
	t.row(to, sum, o)
}

// row finishes the sums of the channels from o: see output.finish. Added to 1.5 * 2^52, a number between -2^31 and 2^31
// is rounded to an integer, half to even, which the low half of the bits then holds.
func (t finisher) row(to []byte, sum []int32, o int) {
	to = to[:len(sum)]
	if t.ratio == nil {
		for i, s := range sum {
			to[i] = t.finish(s, o+i)
		}
		return
	}
	ratio := t.ratio[o:][:len(sum)]
	low, high, zero := t.limit.Min, t.limit.Max, t.zero+flip
	for i, s := range sum {
		y := float64(float32(float32(s) * ratio[i]))
		q := int32(math.Float64bits(y + 3<<51))
		to[i] = byte(min(max(q, low), high) + zero)
	}
}
