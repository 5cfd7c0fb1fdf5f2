package native

import (
	"math"
	"unsafe"
)

// gemmArgs are the arguments of the kernels dotRxC and longRxC: R rows (output pixels) by C output channels at a time.
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

// chunk is how many bytes of a pixel the kernels read at a time, whether they need all or not.
const chunk = 16

// gemmKernel is one of them.
type gemmKernel struct {
	run            func(*gemmArgs)
	rows, channels int
	step           int                                   // what a tap is filled up to a multiple of with weights 0
	place          func(channels, k, channel, i int) int // where in a tap of k bytes a panel has weight i of a channel
}

var (
	dotKernels = map[int]gemmKernel{
		4: {dot4x16, 4, 16, 4, dotPlace},
		8: {dot8x8, 8, 8, 4, dotPlace},
		1: {dot1x16, 1, 16, 4, dotPlace},
	}
	longKernels = map[int]gemmKernel{
		2: {long2x8, 2, 8, 8, longPlace},
		1: {long1x8, 1, 8, 8, longPlace},
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

// tapConv has the channels of a pixel for a tap: those that the output channels of a panel see, which are all of them but
// for a grouped or depthwise convolution. Channels that only some of a panel's see meet weights 0.
func (c *compiler) tapConv(f *conv) func() {
	c.pad(f, roundUp(f.c, chunk))
	return c.gemm(f, f.taps(),
		func(o, n int) (from, k int) {
			from = f.group(o) / chunk * chunk
			return from, f.group(min(o+n, f.oc)-1) + f.depth - from
		},
		func(m, tap int) int32 { return f.locate(f.input(m, tap/f.kw, tap%f.kw)) },
		func(o, tap, i int) int8 {
			if i -= f.group(o); i < 0 || i >= f.depth {
				return 0
			}
			if f.depthwise {
				return f.weights[tap*f.oc+o]
			}
			return f.weights[(o*f.taps()+tap)*f.depth+i]
		})
}

// rowConv is for few channels: a tap is a whole row of the filter, its pixels being neighbours in memory. To have them
// so at the border too, x is copied into the middle of an image of zero points first.
func (c *compiler) rowConv(f *conv) func() {
	reach := (f.kh-1)*f.dilation[0] + 1
	h, w := (f.oh-1)*f.stride[0]+reach, (f.ow-1)*f.stride[1]+f.kw
	row := f.kw * f.c
	image := c.scratch(f.n*h*w*f.c + roundUp(row, chunk) - row)
	c.late = append(c.late, func() {
		for i := range image.data {
			image.data[i] = f.inputZero
		}
	})
	top, left := f.before[0], f.before[1]
	high, wide := min(f.h, h-top), min(f.w, w-left)
	if wide < 1 { // the windows see padding only
		high = 0
	}
	fill := func() {
		for n := range f.n {
			for y := range high {
				to := image.data[((n*h+top+y)*w+left)*f.c:]
				from := f.x.data[(n*f.h+y)*f.w*f.x.stride:]
				if f.x.stride == f.c {
					copy(to[:wide*f.c], from)
					continue
				}
				for x := range wide {
					copy(to[x*f.c:][:f.c], from[x*f.x.stride:])
				}
			}
		}
	}
	multiply := c.gemm(f, f.kh, func(int, int) (from, k int) { return 0, row },
		func(m, ky int) int32 {
			n, y, x := m/(f.oh*f.ow), m/f.ow%f.oh, m%f.ow
			return int32(image.offset + ((n*h+y*f.stride[0]+ky*f.dilation[0])*w+x*f.stride[1])*f.c)
		},
		func(o, ky, i int) int8 { return f.weights[(o*f.kh+ky)*row+i] })
	if multiply == nil {
		return nil
	}
	return func() {
		fill()
		multiply()
	}
}

// gemm returns the calls that multiply: sum[m,o] = bias[o] + the sum over taps and i of arena[at(m,tap)+i] *
// weight(o,tap,i), where i goes over the k bytes from one on that the n channels from o see. It is nil where a sum of two
// products may not fit into the 16 bits that the family neon has for it.
func (c *compiler) gemm(f *conv, taps int, see func(o, n int) (from, k int),
	at func(m, tap int) int32, weight func(o, tap, i int) int8) func() {
	if c.kernels.family == Neon && !f.pairs(taps, see, weight) {
		return nil
	}
	// The pixels left over by the last whole block are computed by one that ends with them, some for a second time.
	type part struct {
		first, blocks int
		table         []int32
	}
	cut := func(rows int) (parts []part) {
		blocks := f.pixels() / rows
		for size := c.split(blocks, (f.oc+15)/16); blocks > 0; {
			n := min(size, blocks)
			blocks -= n
			parts = append(parts, part{blocks * rows, n, nil})
		}
		if f.pixels()%rows != 0 {
			parts = append(parts, part{f.pixels() - rows, 1, nil})
		}
		for i := range parts {
			p := &parts[i]
			for b := range p.blocks {
				for tap := range taps {
					for r := range rows {
						p.table = append(p.table, at(p.first+b*rows+r, tap))
					}
				}
			}
		}
		return parts
	}
	var calls []call[gemmArgs]
	c.late = append(c.late, func() {
		parts := map[int][]part{} // by the rows of a block
		for o := 0; o < f.oc; {
			kernel := c.gemmKernel(f.pixels(), f.oc-o)
			if parts[kernel.rows] == nil {
				parts[kernel.rows] = cut(kernel.rows)
			}
			from, k := see(o, kernel.channels)
			panel := c.panel(f, kernel, o, taps, k, func(o, tap, i int) int8 { return weight(o, tap, from+i) })
			for _, p := range parts[kernel.rows] {
				calls = append(calls, call[gemmArgs]{kernel.run, &gemmArgs{
					x: unsafe.Pointer(&c.arena[from]), table: &p.table[0], panel: &panel[0],
					out: &f.out.data[p.first*f.out.stride+o], stride: f.out.stride,
					blocks: p.blocks, taps: taps, chunks: roundUp(k, kernel.step) / chunk,
					rest: roundUp(k, kernel.step) % chunk / kernel.step, clamp: f.clamp(),
				}})
			}
			o += kernel.channels
		}
	})
	return share(c, &calls)
}

// panel packs the weights of a kernel's output channels from first: see gemmArgs.panel.
func (c *compiler) panel(f *conv, kernel gemmKernel, first, taps, k int, weight func(o, tap, i int) int8) []byte {
	all, step := kernel.channels, roundUp(k, kernel.step)
	p := c.hooks.memory(all * (8 + taps*step))
	for e := range min(all, f.oc-first) {
		sum := int32(0)
		for tap := range taps {
			to := p[all*(8+tap*step):]
			for i := range k {
				w := weight(first+e, tap, i)
				sum += int32(w)
				to[kernel.place(all, step, e, i)] = byte(w)
			}
		}
		f.output.put(p, 4*e, 4*(all+e), first+e, f.bias[first+e]-f.signedZero()*sum)
	}
	return p
}

// signedZero is the zero point of x. The kernels take q + 128 back to q, as both factors of their products are signed.
func (f *conv) signedZero() int32 { return int32(int8(f.inputZero ^ flip)) }

// pairs reports whether a sum of two products that the kernels longRxC take together always fits into 16 bits. It does,
// unless both weights are -128.
func (f *conv) pairs(taps int, see func(o, n int) (from, k int), weight func(o, tap, i int) int8) bool {
	const apart = chunk / 2
	for o := range f.oc {
		from, k := see(o, 1)
		for tap := range taps {
			for i := apart; i < k; i++ {
				if i%chunk >= apart && weight(o, tap, from+i) == math.MinInt8 && weight(o, tap, from+i-apart) == math.MinInt8 {
					return false
				}
			}
		}
	}
	return true
}
