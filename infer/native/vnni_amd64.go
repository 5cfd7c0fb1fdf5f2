package native

import (
	"math"

	"github.com/klauspost/cpuid/v2"

	"mnet-edge/quant"
)

// The family avx512vnni: how weights are packed for its kernels, and which calls make up an operator. It rounds as
// XNNPACK does; in TFLite's arithmetic, and for windows that no kernel here has, the portable kernels stand in.

var avx512vnni = kernels{
	family: AVX512VNNI,
	runs: func() bool {
		return cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.AVX512VNNI)
	},
	conv: (*compiler).vnniConv,
	mean: (*compiler).vnniMean,
	add:  (*compiler).vnniAdd,

	narrow: true,
}

// meanArgs are those of mean16: 16 channels at a time, averaged over pixels.
type meanArgs struct {
	x            *byte
	out          *byte
	pixels       int
	step         int // bytes from pixel to pixel
	blocks       int
	factor, bias float32 // see mean
	first        int32   // what a sum begins with
	offset       int32   // what is added in the end
}

// addArgs are those of add16: 16 elements at a time.
type addArgs struct {
	a, b, out         *byte
	blocks            int
	fa, fb, bias      int32
	shift             int32
	zero, least, most int32 // of the output, + 128
}

//go:noescape
func mean16(a *meanArgs)

//go:noescape
func add16(a *addArgs)

// vnniConv returns what computes f with assembler kernels, or nil.
func (c *compiler) vnniConv(f *conv) func() {
	if c.rounding != quant.Float32 || !f.unclamped() {
		return nil
	}
	switch {
	case f.depthwise:
		if f.kh == 3 && f.kw == 3 && f.oc == f.c && f.dilation == [2]int{1, 1} && f.stride[1] <= 2 && f.x.stride%pixelStep == 0 {
			return c.depthwise3x3(f)
		}
	case f.depth != f.c:
	case f.slides() && (f.c <= 16 || f.oc <= 16):
		return c.slideConv(f)
	case f.dilation[1] == 1 && (f.c < 16 && f.kw > 1 || f.x.stride < roundUp(f.c, 4)):
		return c.rowConv(f)
	case f.x.stride >= roundUp(f.c, 4):
		return c.tapConv(f)
	}
	return nil
}

// vnniMean returns the mean over each count pixels in a row, or nil.
func (c *compiler) vnniMean(m *mean, count int, x, out *buffer) func() {
	most := float64(count)*flip*math.Abs(float64(m.factor)) + math.Abs(float64(m.bias))
	if !m.float || x.stride%16 != 0 || !(most < 1<<29) {
		return nil
	}
	var calls []call[meanArgs]
	c.late = append(c.late, func() {
		for p := range out.pixels {
			calls = append(calls, call[meanArgs]{mean16, &meanArgs{
				x: &x.data[p*count*x.stride], out: &out.data[p*out.stride],
				pixels: count, step: x.stride, blocks: (x.channels + 15) / 16,
				factor: m.factor, bias: m.bias, first: int32(-flip * count), offset: flip,
			}})
		}
	})
	return share(c, &calls)
}

// vnniAdd returns the sum of two tensors laid out alike, or nil.
func (c *compiler) vnniAdd(f *adder, a, b, out *buffer) func() {
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
				fa: f.fa, fb: f.fb, bias: f.bias, shift: f.shift,
				zero: f.zero + flip, least: f.limit.Min + flip, most: f.limit.Max + flip,
			}})
		}
	})
	return share(c, &calls)
}
