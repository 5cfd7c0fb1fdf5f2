package native

import (
	"math"
	"unsafe"
)

// gemmArgs are the arguments of the kernels dotRxC and longRxC: R rows (output pixels) by C output channels at a time. Those
// with a q to their names take the input as signedConv has it.
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

// gemmKernel is one of them.
type gemmKernel struct {
	run, signed    func(*gemmArgs)
	rows, channels int
	step           int                                   // what a tap is filled up to a multiple of with weights 0
	place          func(channels, k, channel, i int) int // where in a tap of k bytes a panel has weight i of a channel
}

var (
	dotKernels = map[int]gemmKernel{
		4: {dot4x16, dot4x16q, 4, 16, 4, dotPlace},
		8: {dot8x8, dot8x8q, 8, 8, 4, dotPlace},
		1: {dot1x16, dot1x16q, 1, 16, 4, dotPlace},
	}
	longKernels = map[int]gemmKernel{
		2: {long2x8, long2x8q, 2, 8, 8, longPlace},
		1: {long1x8, long1x8q, 1, 8, 8, longPlace},
	}
)

// dotPlace has four inputs of each channel side by side: [k/4][channels][4].
func dotPlace(channels, _, channel, i int) int { return (i/4*channels+channel)*4 + i%4 }

// longPlace has 16 inputs of each channel side by side, and then the last 8: [k/16][channels][16], [channels][8].
func longPlace(channels, k, channel, i int) int {
	size := min(chunk, k-i/chunk*chunk)
	return i/chunk*chunk*channels + channel*size + i%chunk
}

// gemmKernel is the kernel for m pixels and, at most, some output channels.
func (c *compiler) gemmKernel(m, channels int) gemmKernel {
	switch {
	case c.kernels.family == Neon:
		return longKernels[min(m, 2)]
	case m >= 8 && channels <= 8:
		return dotKernels[8]
	case m >= 4:
		return dotKernels[4]
	}
	return dotKernels[1]
}

// gemm returns the calls that multiply: sum[m,o] = bias[o] + the sum over taps and i of arena[at(m,tap)+i] * w[i-from],
// with what weights gives of a channel's tap; the rest are 0. Of the bytes at a tap, the n channels from o see k. It is nil
// where a sum of two products may not fit into the 16 bits that the family neon has for it.
func (c *compiler) gemm(f *conv, x *buffer, taps int, see func(o, n int) (from, k int),
	at func(m, tap int) int32, weights func(o, tap int) (from int, w []int8)) work {
	if c.kernels.family == Neon && !f.pairs(taps, weights) {
		return nil
	}
	c.charge(f.pixels() * taps * 4)
	calls := newCalls[gemmArgs](c)
	c.late = append(c.late, func() {
		all := map[int][][]rowBlocks{} // by the rows of a block
		f.eachPanel(func(o, left int, threads []int) (channels int) {
			kernel := c.gemmKernel(f.fewest(), left)
			if all[kernel.rows] == nil {
				all[kernel.rows] = f.rowBlocks(kernel.rows, taps, at)
			}
			run := kernel.run
			if f.inputFlip == 0 {
				run = kernel.signed
			}
			from, k := see(o, kernel.channels)
			panel := c.panel(f, kernel, o, taps, from, k, weights)
			for i, thread := range threads {
				for _, b := range all[kernel.rows][i] {
					calls.add(thread, run, gemmArgs{
						x: unsafe.Pointer(&c.arena[from]), table: &b.table[0], panel: &panel[0],
						out: &f.out.data[b.first*f.out.stride+o], stride: f.out.stride,
						blocks: b.n, taps: taps, chunks: roundUp(k, kernel.step) / chunk,
						rest: roundUp(k, kernel.step) % chunk / kernel.step, clamp: f.clamp(),
					})
				}
			}
			return kernel.channels
		})
	})
	return share(calls, f.out, f.sees(x))
}

// panel packs the weights of a kernel's output channels from first, of k bytes of input beginning with one: see
// gemmArgs.panel.
func (c *compiler) panel(f *conv, kernel gemmKernel, first, taps, begin, k int,
	weights func(o, tap int) (from int, w []int8)) []byte {
	all, step := kernel.channels, roundUp(k, kernel.step)
	p := c.hooks.memory(all * (8 + taps*step))
	for e := range min(all, f.OC-first) {
		for tap := range taps {
			from, ws := weights(first+e, tap)
			to := p[all*(8+tap*step):]
			for i, w := range ws {
				to[kernel.place(all, step, e, from-begin+i)] = byte(w)
			}
		}
		f.describe(p, e, all, first+e)
	}
	return p
}

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

// signedConv is tapConv of a copy of x that has q in the stead of q + 128, where the kernels would otherwise make that of
// the same input often enough: once for each panel, and for each tap that sees it.
func (c *compiler) signedConv(f *conv) work {
	channels := c.gemmKernel(f.fewest(), f.OC).channels
	reads := f.taps() * (f.OC + channels - 1) / channels
	if reads < 4*f.Stride[0]*f.Stride[1] { // a copy is two instructions for 16 bytes, q of q + 128 is one
		return c.tapConv(f)
	}
	x, g := f.x, *f
	g.x = c.add(&buffer{pixels: x.pixels, channels: x.channels, stride: x.stride, size: x.size})
	g.inputZero, g.inputFlip = f.inputZero^f.inputFlip, 0
	multiply := c.tapConv(&g)
	if multiply == nil {
		return nil
	}
	convert := blocks(c, toSigned64, g.x, []*buffer{x}, func(first, n int) signedArgs {
		return signedArgs{&x.data[first], &g.x.data[first], n / bufferStep}
	})
	return append(convert, multiply...)
}

// pairs reports whether a sum of two products that the kernels longRxC take together always fits into 16 bits. It does,
// unless both weights are -128.
func (f *conv) pairs(taps int, weights func(o, tap int) (from int, w []int8)) bool {
	const apart = chunk / 2
	for o := range f.OC {
		for tap := range taps {
			from, w := weights(o, tap)
			for i := range max(len(w)-apart, 0) {
				if (from+i)%chunk < apart && w[i] == math.MinInt8 && w[i+apart] == math.MinInt8 {
					return false
				}
			}
		}
	}
	return true
}
