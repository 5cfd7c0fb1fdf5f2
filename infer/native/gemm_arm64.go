package native

import (
	"math"
	"unsafe"
)

// gemmArgs are the arguments of the kernels dotRxC and longRxC: R rows (output pixels) by C output channels at a time. Those
// with a q to their names take the input as signedTaps has it.
type gemmArgs struct {
	x      unsafe.Pointer // the arena
	table  *int32         // [blocks][taps][R] offsets in it
	panel  *byte          // [C] bias int32, [C] scale float32, [taps] weights
	out    *byte          // of the first row, the panel's first channel
	stride int            // bytes from row to row
	blocks int
	taps   int
	chunks int // of 16 bytes of input that a tap sees
	rest   int // what it sees beyond them: of dotRxC up to three times 4 bytes, of longRxC up to once 8
	clamp
}

//go:noescape
func dot4x16(a *gemmArgs)

//go:noescape
func dot8x8(a *gemmArgs)

//go:noescape
func dot1x16(a *gemmArgs)

//go:noescape
func long2x8(a *gemmArgs)

//go:noescape
func long1x8(a *gemmArgs)

//go:noescape
func dot4x16q(a *gemmArgs)

//go:noescape
func dot8x8q(a *gemmArgs)

//go:noescape
func dot1x16q(a *gemmArgs)

//go:noescape
func long2x8q(a *gemmArgs)

//go:noescape
func long1x8q(a *gemmArgs)

// chunk is how many bytes of a pixel the kernels read at a time, whether they need all or not.
const chunk = 16

// signedKernel is a kernel, and the one for input as signedTaps has it.
type signedKernel struct {
	gemmKernel
	signed func(*gemmArgs)
}

// The kernels by rows. dotRxC have four inputs of each channel side by side, longRxC 16, and then the last 8.
var (
	dotKernels = map[int]signedKernel{
		4: {gemmKernel{dot4x16, 4, 16, 16, 4, 4}, dot4x16q},
		8: {gemmKernel{dot8x8, 8, 8, 8, 4, 4}, dot8x8q},
		1: {gemmKernel{dot1x16, 1, 16, 16, 4, 4}, dot1x16q},
	}
	longKernels = map[int]signedKernel{
		2: {gemmKernel{long2x8, 2, 8, 8, 8, 16}, long2x8q},
		1: {gemmKernel{long1x8, 1, 8, 8, 8, 16}, long1x8q},
	}
)

// gemmKernel returns the kernel of f for m pixels and, at most, some output channels.
func (c *compiler) gemmKernel(f *conv) func(m, channels int) gemmKernel {
	return func(m, channels int) gemmKernel {
		k := dotKernels[1]
		switch {
		case c.kernels.family == Neon:
			k = longKernels[min(m, 2)]
		case m >= 8 && channels <= 8:
			k = dotKernels[8]
		case m >= 4:
			k = dotKernels[4]
		}
		if f.inputFlip == 0 {
			k.run = k.signed
		}
		return k.gemmKernel
	}
}

// setTap tells the kernel how many bytes of a tap it sees.
func (a *gemmArgs) setTap(bytes, step int) { a.chunks, a.rest = bytes/chunk, bytes%chunk/step }

// kernelZero is x's zero point as the kernels see it: they take q + 128 back to q, as both factors of their products are
// signed.
func (f *conv) kernelZero() int32 { return int32(int8(f.inputZero ^ f.inputFlip)) }

// signedArgs are those of toSigned64.
type signedArgs struct {
	x, out *byte
	blocks int // of 64 bytes
}

//go:noescape
func toSigned64(a *signedArgs)

// signedTaps is f's pixelTaps, or those of f with a copy of x that has q in the stead of q + 128, where the kernels would
// otherwise make that of the same input often enough: once for each panel, and for each tap that sees it.
func (c *compiler) signedTaps(f *conv) (*conv, *operand) {
	channels := c.gemmKernel(f)(f.fewest(), f.OC).channels
	reads := f.taps() * (f.OC + channels - 1) / channels
	if reads < 4*f.Stride[0]*f.Stride[1] { // a copy is two instructions for 16 bytes, q of q + 128 is one
		return f, c.pixelTaps(f)
	}
	x, g := f.x, *f
	g.x = c.add(&buffer{pixels: x.pixels, channels: x.channels, stride: x.stride, size: x.size})
	g.inputZero, g.inputFlip = f.inputZero^f.inputFlip, 0
	in := c.pixelTaps(&g)
	in.fill = blocks(c, toSigned64, g.x, []*buffer{x}, func(first, n int) signedArgs {
		return signedArgs{&x.data[first], &g.x.data[first], n / bufferStep}
	})
	return &g, in
}

// pairs reports whether a sum of two products that the kernels longRxC take together always fits into 16 bits. It does,
// unless both weights are -128.
func (f *conv) pairs(in *operand) bool {
	const apart = chunk / 2
	for o := range f.OC {
		for tap := range in.taps {
			from, w := in.weights(o, tap)
			for i := range max(len(w)-apart, 0) {
				if (from+i)%chunk < apart && w[i] == math.MinInt8 && w[i+apart] == math.MinInt8 {
					return false
				}
			}
		}
	}
	return true
}
