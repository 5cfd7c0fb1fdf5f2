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
	inputZero byte    // x's zero point, as a byte of x
	inputFlip byte    // what makes a byte of x an int8, by exclusive or: flip, or 0 where signedTaps has done it
	weights   []int8  // as Geometry.Weight has them
	bias      []int32 // (OC)
	sums      []int32 // (OC): of each channel's weights
	most      []int64 // (OC): a bound of the accumulators' absolute values
}

func (c *compiler) conv(n *graph.Node) (work, error) {
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
	if err := wantInt8(n.Out.Type.DType); err != nil {
		return nil, err
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
	f.output = newOutput(c.rounding, n, act, f.OC)
	_, zero := x.Type.Quant.At(0)
	f.inputZero, f.inputFlip = byte(zero)^flip, flip
	if err := f.weigh(); err != nil {
		return nil, err
	}
	rows := c.rows(f)
	f.out = c.alloc(n.Out)
	f.out.cut = c.cut(n)
	run := c.fastConv(f)
	if run == nil {
		run = c.portable(f)
	}
	return append(rows, run...), nil
}

// rows makes pixels of f.c channels out of those of a fully connected layer's input, where they are not: a dense layer
// may take the elements of its input, whatever their shape, as rows.
func (c *compiler) rows(f *conv) work {
	x := f.x
	if x.channels == f.C {
		return nil
	}
	f.x = c.add(newBuffer(graph.Type{DType: graph.Int8, Shape: []int{f.N, f.C}}))
	to := f.x
	return alone(func() { reshape(x, to) })
}

// maxTable bounds the number of offsets that a kernel's table may have: output pixels times taps.
const maxTable = 1 << 24

// weigh fills sums and most, from the weights at hand, and reports a channel whose accumulator could leave int32. No term of it is
// larger than |w| times x's largest distance from its zero point, so no partial sum is either, whatever the order.
func (f *conv) weigh() error {
	distance := int64(max(f.inputZero, math.MaxUint8-f.inputZero))
	f.sums, f.most = make([]int32, f.OC), make([]int64, f.OC)
	for o, b := range f.bias {
		var sum, size int64
		for tap := range f.taps() {
			for _, w := range f.weights[f.Weight(o, tap):][:f.Depth] {
				sum, size = sum+int64(w), size+max(int64(w), -int64(w))
			}
		}
		f.sums[o] = int32(sum)
		if f.most[o] = size*distance + max(int64(b), -int64(b)); f.most[o] > math.MaxInt32 {
			return fmt.Errorf("channel %d, with bias %d, may overflow its accumulator", o, b)
		}
	}
	return nil
}

// biasOf is channel o's bias for kernels that sum x * w, x's zero point being zero there, in the stead of (x - zero) * w: it is
// less by zero times the sum of w. Sums wrap, but end right.
func (f *conv) biasOf(o int, zero int32) int32 { return f.bias[o] - zero*f.sums[o] }

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

// tap is where in the arena the input of a tap of output pixel m begins.
func (f *conv) tap(m, tap int) int32 { return f.locate(f.input(m, tap/f.KW, tap%f.KW)) }

// reading is f's access to its input, x, which may be a copy of f.x. A thread that has some channels of a depthwise convolution
// reads only these; one that has some rows of a product of single pixels, only these rows.
func (f *conv) reading(x *buffer) access {
	cut := f.out.cut
	switch {
	case f.Depthwise && f.OC == f.C && len(cut.pixels) == 2:
		cut.pixels = []int{0, x.pixels}
		return access{x, cut}
	case !f.Depthwise && f.taps() == 1 && f.pixels() == x.pixels && !f.outside() && len(cut.channels) == 2:
		cut.channels = []int{0, f.C}
		return access{x, cut}
	}
	return access{buffer: x}
}

// eachPanel calls pack for the channels from o on, until none are left. threads are those that share them, one for each range
// of pixels, and left is how many channels they still have. pack tells how many it takes.
func (f *conv) eachPanel(pack func(o, left int, threads []int) (channels int)) {
	ranges := spans(f.out.cut.channels)
	for j, channels := range ranges {
		var threads []int
		for i := range spans(f.out.cut.pixels) {
			threads = append(threads, i*len(ranges)+j)
		}
		for o := channels.first; o < channels.last; {
			o += pack(o, channels.last-o, threads)
		}
	}
}

// rowSpans are the threads' ranges of the result's rows.
func (f *conv) rowSpans() []span {
	all := spans(f.out.cut.pixels)
	for i := range all {
		all[i] = span{all[i].first / f.OW, all[i].last / f.OW}
	}
	return all
}

// fewest is how many pixels the smallest range has.
func (f *conv) fewest() int {
	fewest := f.pixels()
	for _, s := range spans(f.out.cut.pixels) {
		fewest = min(fewest, s.last-s.first)
	}
	return fewest
}

// offsets is, for every output pixel and tap, where in the arena the input begins. The taps are filled up to a multiple of
// so many with the last.
func (f *conv) offsets(together int) []int32 {
	taps := roundUp(f.taps(), together)
	at := make([]int32, 0, f.pixels()*taps)
	for m := range f.pixels() {
		for tap := range taps {
			at = append(at, f.tap(m, min(tap, f.taps()-1)))
		}
	}
	return at
}
