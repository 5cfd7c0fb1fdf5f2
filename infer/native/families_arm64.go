package native

import (
	"github.com/klauspost/cpuid/v2"

	"mnet-edge/quant"
)

// The families dotprod and neon: which calls of kernels make up an operator. They differ in the matrix product and in
// the depthwise convolution. Both round as XNNPACK does; in TFLite's arithmetic, and for windows that no kernel here has,
// the portable kernels stand in.

// assembler are this architecture's families, the fastest first.
var assembler = []*kernels{&dotprod, &neon}

var (
	dotprod = armKernels(Dotprod, cpuid.CPU.Supports(cpuid.ASIMDDP))
	neon    = armKernels(Neon, true) // Go takes it for granted
)

func armKernels(f Family, runs bool) kernels {
	return kernels{
		family: f, runs: runs, narrow: true, conv: (*compiler).armConv,
		mean: mean16, meanChannels: 16, add: add16, mul: mul16, lookup: lookup16,
		averagePool: averagePool16, maxPool: maxPool16,
	}
}

// armConv returns what computes f with assembler kernels, or nil.
func (c *compiler) armConv(f *conv) work {
	if c.rounding != quant.Float32 {
		return nil
	}
	apart := f.x.stride%pixelStep == 0 && f.Depthwise && f.OC == f.C // each channel is made of one
	dense := f.Depth == f.C && !f.Depthwise                          // of all
	var in *operand
	switch {
	case apart && f.byColumns():
		return c.depthwise3x3(f)
	case apart:
		return c.depthwiseTaps(f)
	case dense && f.Dilation[1] == 1 && (f.C < 16 && f.KW > 1 || f.x.stride < roundUp(f.C, chunk)):
		in = c.byteImage(f)
	case f.x.stride >= roundUp(f.C, chunk):
		f, in = c.signedTaps(f)
	}
	if in == nil || c.kernels.family == Neon && !f.pairs(in) {
		return nil
	}
	return c.gemm(f, in, c.gemmKernel(f))
}
