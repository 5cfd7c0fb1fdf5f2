package native

import (
	"math"

	"github.com/klauspost/cpuid/v2"

	"mnet-edge/quant"
)

// The families dotprod and neon: which calls of kernels make up an operator. They differ in the matrix product and in
// the depthwise convolution. Both round as XNNPACK does; in TFLite's arithmetic, and for windows that no kernel here has,
// the portable kernels stand in.

var (
	dotprod = kernels{
		family: Dotprod,
		runs:   func() bool { return cpuid.CPU.Supports(cpuid.ASIMDDP) },
		conv:   (*compiler).armConv,
		mean:   (*compiler).armMean,
		add:    (*compiler).armAdd,
	}
	neon = kernels{
		family: Neon,
		runs:   func() bool { return true }, // Go takes it for granted
		conv:   (*compiler).armConv,
		mean:   (*compiler).armMean,
		add:    (*compiler).armAdd,
	}
)

// meanArgs are those of mean16: 16 channels at a time, averaged over pixels.
type meanArgs struct {
	x            *byte
	out          *byte
	pixels       int
	step         int // bytes from pixel to pixel
	blocks       int
	factor, bias float32 // see mean
	first        int32   // what a sum begins with
	clamp
}

// addArgs are those of add16: 16 elements at a time.
type addArgs struct {
	a, b, out *byte
	blocks    int
	fa, fb    int32
	bias      int32
	shift     int32 // to the left
	clamp
}

//go:noescape
func mean16(a *meanArgs)

//go:noescape
func add16(a *addArgs)

// armConv returns what computes f with assembler kernels, or nil.
func (c *compiler) armConv(f *conv) func() {
	if c.rounding != quant.Float32 {
		return nil
	}
	switch {
	case f.depthwise:
		if f.kh == 3 && f.kw == 3 && f.oc == f.c && f.dilation == [2]int{1, 1} && f.stride[1] <= 2 && f.x.stride%pixelStep == 0 {
			return c.depthwise3x3(f)
		}
	case f.depth != f.c:
	case f.dilation[1] == 1 && (f.c < 16 && f.kw > 1 || f.x.stride < roundUp(f.c, chunk)):
		return c.rowConv(f)
	case f.x.stride >= roundUp(f.c, chunk):
		return c.tapConv(f)
	}
	return nil
}

// armMean returns the mean over each count pixels in a row, or nil.
func (c *compiler) armMean(m *mean, count int, x, out *buffer) func() {
	most := float64(count)*flip*math.Abs(float64(m.factor)) + math.Abs(float64(m.bias))
	if !m.float || x.stride%pixelStep != 0 || !(most < 1<<29) {
		return nil
	}
	var calls []call[meanArgs]
	c.late = append(c.late, func() {
		for p := range out.pixels {
			calls = append(calls, call[meanArgs]{mean16, &meanArgs{
				x: &x.data[p*count*x.stride], out: &out.data[p*out.stride],
				pixels: count, step: x.stride, blocks: (x.channels + 15) / 16,
				factor: m.factor, bias: m.bias, first: int32(-flip * count), clamp: clamp{zero: flip, high: math.MaxUint8},
			}})
		}
	})
	return share(c, &calls)
}

// armAdd returns the sum of two tensors laid out alike, or nil.
func (c *compiler) armAdd(f *adder, a, b, out *buffer) func() {
	if out.stride%pixelStep != 0 {
		return nil
	}
	var calls []call[addArgs]
	c.late = append(c.late, func() {
		all := out.size / 16
		size := c.split(all, 1)
		for first := 0; first < all; first += size {
			calls = append(calls, call[addArgs]{add16, &addArgs{
				a: &a.data[16*first], b: &b.data[16*first], out: &out.data[16*first], blocks: min(size, all-first),
				fa: f.fa, fb: f.fb, bias: f.bias, shift: -f.shift,
				clamp: clamp{uint16(f.zero + flip), uint8(f.limit.Min + flip), uint8(f.limit.Max + flip)},
			}})
		}
	})
	return share(c, &calls)
}
