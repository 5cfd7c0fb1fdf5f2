package native

import "mnet-edge/quant"

// The families avx2 and avxvnni, for processors without AVX-512: what they have kernels for. They round as XNNPACK does;
// in TFLite's arithmetic, the portable kernels stand in.
//
// Both multiply with an instruction that takes four bytes a dword: VPMADDWD two int16 by two int16, VPDPBUSD four u8 by
// four s8. So they share the shape of kernels and panels, and differ in what stands in the four bytes.

//go:noescape
func avx2Mean(a *meanArgs)

//go:noescape
func avx2AveragePool(a *poolArgs)

//go:noescape
func avx2MaxPool(a *poolArgs)

//go:noescape
func avx2Add(a *addArgs)

//go:noescape
func avx2Mul(a *mulArgs)

// avx2Conv returns what computes f with assembler kernels, or nil.
func (c *compiler) avx2Conv(f *conv) work {
	if c.rounding != quant.Float32 || !f.unclamped() {
		return nil
	}
	if f.Depthwise {
		return c.avx2Depthwise(f, c.avx2Depthwise3x3)
	}
	return c.gemm(f, c.wordImage(f), avx2Kernel)
}

// avxvnniConv is that of the other family.
func (c *compiler) avxvnniConv(f *conv) work {
	if c.rounding != quant.Float32 || !f.unclamped() {
		return nil
	}
	if f.Depthwise {
		return c.avx2Depthwise(f, func(f *conv) work { return c.columnConv(f, 32, avxvnniDepthwiseKernels) })
	}
	if f.x.stride%pixelStep == 0 && (f.C >= 16 || f.KW == 1 || f.Depth < f.C) {
		return c.gemm(f, c.pixelTaps(f), avxvnniKernel)
	}
	return c.gemm(f, c.byteImage(f), avxvnniKernel)
}

// avx2Depthwise returns a depthwise convolution: fast for what it takes, else two taps at a time. An input channel of
// which several output channels are made, or that is not laid out for kernels, is repeated first.
func (c *compiler) avx2Depthwise(f *conv, fast func(*conv) work) work {
	if f.OC > f.C || f.x.stride%pixelStep != 0 {
		g, repeat := c.repeated(f)
		return append(alone(repeat), c.avx2Depthwise(g, fast)...)
	}
	if f.byColumns() {
		return fast(f)
	}
	return c.depthwisePairs(f)
}
