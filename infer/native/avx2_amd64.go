package native

import (
	"github.com/klauspost/cpuid/v2"

	"mnet-edge/quant"
)

// The families avx2 and avxvnni, for processors without AVX-512: what they have kernels for. They round as XNNPACK does;
// in TFLite's arithmetic, the portable kernels stand in.
//
// Both multiply with an instruction that takes four bytes a dword: VPMADDWD two int16 by two int16, VPDPBUSD four u8 by
// four s8. So they share the shape of kernels and panels, and differ in what stands in the four bytes.

var avx2 = kernels{
	family:  AVX2,
	runs:    func() bool { return cpuid.CPU.Supports(cpuid.AVX2) },
	conv:    (*compiler).avx2Conv,
	mean:    (*compiler).avx2Mean,
	add:     (*compiler).avx2Add,
	mul:     (*compiler).avx2Mul,
	pooling: (*compiler).avx2Pool,
}

var avxvnni = kernels{
	family:  AVXVNNI,
	runs:    func() bool { return cpuid.CPU.Supports(cpuid.AVX2, cpuid.AVXVNNI) },
	conv:    (*compiler).avxvnniConv,
	mean:    (*compiler).avx2Mean,
	add:     (*compiler).avx2Add,
	mul:     (*compiler).avx2Mul,
	pooling: (*compiler).avx2Pool,
}

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
	in, ok := c.wordImage(f)
	if !ok {
		return nil
	}
	return c.product(f, avx2Kernels, in)
}

// avxvnniConv is that of the other family.
func (c *compiler) avxvnniConv(f *conv) work {
	if c.rounding != quant.Float32 || !f.unclamped() {
		return nil
	}
	if f.Depthwise {
		return c.avx2Depthwise(f, c.avxvnniDepthwise3x3)
	}
	if f.x.stride%pixelStep == 0 && (f.C >= 16 || f.KW == 1 || f.Depth < f.C) {
		return c.product(f, avxvnniKernels, c.pixelTaps(f))
	}
	in, ok := c.byteImage(f)
	if !ok {
		return nil
	}
	return c.product(f, avxvnniKernels, in)
}

// avx2Depthwise returns a depthwise convolution: fast for what it takes, else two taps at a time. An input channel of
// which several output channels are made, or that is not laid out for kernels, is repeated first.
func (c *compiler) avx2Depthwise(f *conv, fast func(*conv) work) work {
	if f.OC > f.C || f.x.stride%pixelStep != 0 {
		g, repeat := c.repeated(f)
		return append(alone(repeat), c.avx2Depthwise(g, fast)...)
	}
	if f.KH == 3 && f.KW == 3 && f.Dilation == [2]int{1, 1} && f.Stride[1] <= 2 {
		return fast(f)
	}
	return c.depthwisePairs(f)
}

func (c *compiler) avx2Mean(m *mean, count int, x, out *buffer) work {
	return c.meanCalls(avx2Mean, 8, m, count, x, out)
}

func (c *compiler) avx2Add(f *adder, a, b, out *buffer) work {
	return c.addCalls(avx2Add, f, a, b, out)
}

func (c *compiler) avx2Mul(f *multiplier, a, b, out *buffer) work {
	return c.mulCalls(avx2Mul, f, a, b, out)
}

func (c *compiler) avx2Pool(p *pooling) work {
	return c.poolCalls(avx2AveragePool, avx2MaxPool, p)
}
