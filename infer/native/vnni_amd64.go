package native

import (
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
	conv:    (*compiler).vnniConv,
	mean:    (*compiler).vnniMean,
	add:     (*compiler).vnniAdd,
	mul:     (*compiler).vnniMul,
	lookup:  (*compiler).vnniLookup,
	pooling: (*compiler).vnniPool,

	narrow: true,
}

// vnniConv returns what computes f with assembler kernels, or nil.
func (c *compiler) vnniConv(f *conv) func() {
	if c.rounding != quant.Float32 || !f.unclamped() {
		return nil
	}
	apart := f.x.stride%pixelStep == 0 && f.depthwise && f.oc == f.c // each channel is made of one
	dense := f.depth == f.c && !f.depthwise                          // of all
	switch {
	case apart && f.kh == 3 && f.kw == 3 && f.dilation == [2]int{1, 1} && f.stride[1] <= 2:
		return c.depthwise3x3(f)
	case apart:
		return c.depthwiseTaps(f)
	case dense && f.slides() && (f.c <= 16 || f.oc <= 16):
		return c.slideConv(f)
	case dense && f.dilation[1] == 1 && (f.c < 16 && f.kw > 1 || f.x.stride < roundUp(f.c, 4)):
		return c.rowConv(f)
	case f.x.stride >= roundUp(f.c, 4):
		return c.tapConv(f)
	}
	return nil
}
