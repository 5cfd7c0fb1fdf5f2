package native

import "mnet-edge/quant"

// The family avx512vnni: which calls make up an operator. Of the
// kernels of sums there are two each: one rounds once, as XNNPACK does, one twice, as TFLite's reference kernels do.

// vnniConv returns what computes f with assembler kernels, or nil.
func (c *compiler) vnniConv(f *conv) work {
	if f.rounding == quant.Float32 && !f.unclamped() || f.rounding == quant.Double && !f.shifts() {
		return nil
	}
	apart := f.x.stride%pixelStep == 0 && f.Depthwise && f.OC == f.C // each channel is made of one
	dense := f.Depth == f.C && !f.Depthwise                          // of all
	switch {
	case apart && f.byColumns():
		return c.columnConv(f, 64, twice(f, depthwiseKernels, depthwiseTwice))
	case apart:
		return c.depthwiseTaps(f)
	case dense && f.slides() && (f.C <= 16 || f.OC <= 16):
		return c.slideConv(f)
	case dense && f.Dilation[1] == 1 && (f.C < 16 && f.KW > 1 || f.x.stride < roundUp(f.C, 4)):
		return c.gemm(f, c.byteImage(f), f.gemmKernel)
	case f.x.stride >= roundUp(f.C, 4):
		return c.gemm(f, c.pixelTaps(f), f.gemmKernel)
	}
	return nil
}

// twice selects kernels that round as f does from some that round once and some that round twice.
func twice[K any](f *conv, once, twice K) K {
	if f.rounding == quant.Double {
		return twice
	}
	return once
}

// shifts reports whether TFLite's arithmetic is that of the kernels that round twice: there is a shift to the right, and
// no sum so large that half of what that cuts off could make it overflow.
func (f *conv) shifts() bool {
	if f.product != nil {
		return false
	}
	for o, most := range f.most {
		if m := f.requant[o].Multiplier(); m.Shift < -31 || m.Shift > -1 || most > 1<<30 {
			return false
		}
	}
	return true
}
