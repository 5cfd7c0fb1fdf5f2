package native

import "unsafe"

// gemmArgs are the arguments of the kernels gemmRxV: R rows (output pixels) by 16*V output channels at a time.
type gemmArgs struct {
	x      unsafe.Pointer // the arena
	table  *int32         // [blocks][taps][R] offsets in it
	panel  *byte          // [16*V] bias int32, [16*V] scale float32, [taps][k/4][16*V][4] weights
	out    *byte          // of the first row, the panel's first channel
	stride int            // bytes from row to row
	blocks int
	taps   int
	k      int // bytes of input a tap sees, a multiple of 4
	clamp
}

//go:noescape
func gemm8x2(a *gemmArgs)

//go:noescape
func gemm8x1(a *gemmArgs)

//go:noescape
func gemm4x4(a *gemmArgs)

//go:noescape
func gemm4x2(a *gemmArgs)

//go:noescape
func gemm4x1(a *gemmArgs)

//go:noescape
func gemm1x4(a *gemmArgs)

//go:noescape
func gemm1x2(a *gemmArgs)

//go:noescape
func gemm1x1(a *gemmArgs)

//go:noescape
func gemm8x2twice(a *gemmArgs)

//go:noescape
func gemm8x1twice(a *gemmArgs)

//go:noescape
func gemm4x4twice(a *gemmArgs)

//go:noescape
func gemm4x2twice(a *gemmArgs)

//go:noescape
func gemm4x1twice(a *gemmArgs)

//go:noescape
func gemm1x4twice(a *gemmArgs)

//go:noescape
func gemm1x2twice(a *gemmArgs)

//go:noescape
func gemm1x1twice(a *gemmArgs)

// block is how the kernels go about m pixels: how many at a time, and how many vectors a panel has, but for the last.
func block(m int) (rows, widest int) {
	switch {
	case m < 4:
		return 1, 4
	case m < 8:
		return 4, 4
	}
	return 8, 2
}

// tapConv has the channels of a pixel for a tap, four at a time: those that the output channels of a panel see, which are
// all of them but for a grouped or depthwise convolution. Channels that only some of a panel's see meet weights 0.
func (c *compiler) tapConv(f *conv) func() {
	c.pad(f, roundUp(f.c, 4))
	return c.gemm(f, f.taps(),
		func(o, n int) (from, k int) {
			from = f.group(o) / 4 * 4
			return from, roundUp(f.group(min(o+n, f.oc)-1)+f.depth-from, 4)
		},
		func(m, tap int) int32 { return f.locate(f.input(m, tap/f.kw, tap%f.kw)) },
		func(o, tap int) (from int, w []int8) {
			at := (o*f.taps() + tap) * f.depth
			if f.depthwise {
				at = tap*f.oc + o
			}
			return f.group(o), f.weights[at:][:f.depth]
		})
}

// rowConv is for few channels: a tap is a whole row of the filter, its pixels being neighbours in memory. To have them
// so at the border too, x is copied into the middle of an image of zero points first.
func (c *compiler) rowConv(f *conv) func() {
	reach := (f.kh-1)*f.dilation[0] + 1
	h, w := (f.oh-1)*f.stride[0]+reach, (f.ow-1)*f.stride[1]+f.kw
	pixel := f.c // bytes
	if f.x.stride <= roundUp(f.c, 4) {
		pixel = f.x.stride
	}
	row, k := f.kw*pixel, roundUp(f.kw*pixel, 4)
	image := c.scratch(f.n*h*w*pixel + k - row)
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
				to := image.data[((n*h+top+y)*w+left)*pixel:]
				from := f.x.data[(n*f.h+y)*f.w*f.x.stride:]
				if f.x.stride == pixel {
					copy(to[:wide*pixel], from)
					continue
				}
				for x := range wide {
					copy(to[x*pixel:][:pixel], from[x*f.x.stride:])
				}
			}
		}
	}
	multiply := c.gemm(f, f.kh, func(int, int) (from, all int) { return 0, k },
		func(m, ky int) int32 {
			n, y, x := m/(f.oh*f.ow), m/f.ow%f.oh, m%f.ow
			return int32(image.offset + ((n*h+y*f.stride[0]+ky*f.dilation[0])*w+x*f.stride[1])*pixel)
		},
		func(o, ky int) (from int, w []int8) {
			w = f.weights[(o*f.kh+ky)*f.kw*f.c:][:f.kw*f.c]
			if pixel == f.c {
				return 0, w
			}
			spread := make([]int8, row)
			for i, v := range w {
				spread[i/f.c*pixel+i%f.c] = v
			}
			return 0, spread
		})
	return func() {
		fill()
		multiply()
	}
}

// gemmKernels[rows] are the kernels for 16, 32 and 64 output channels.
var gemmKernels = map[int][3]func(*gemmArgs){
	8: {gemm8x1, gemm8x2, nil},
	4: {gemm4x1, gemm4x2, gemm4x4},
	1: {gemm1x1, gemm1x2, gemm1x4},
}

// gemmTwice are those that round twice.
var gemmTwice = map[int][3]func(*gemmArgs){
	8: {gemm8x1twice, gemm8x2twice, nil},
	4: {gemm4x1twice, gemm4x2twice, gemm4x4twice},
	1: {gemm1x1twice, gemm1x2twice, gemm1x4twice},
}

// gemm returns the calls that multiply: sum[m,o] = bias[o] + the sum over taps and i of arena[at(m,tap)+i] * w[i-from],
// with what weights gives of a channel's tap; the rest are 0. Of the bytes at a tap, the n channels from o see k.
func (c *compiler) gemm(f *conv, taps int, see func(o, n int) (from, k int),
	at func(m, tap int) int32, weights func(o, tap int) (from int, w []int8)) func() {
	rows, widest := block(f.pixels())
	// The pixels left over by the last whole block are computed by one that ends with them, some for a second time.
	type part struct {
		first, blocks int
		table         []int32
	}
	var parts []part
	blocks := f.pixels() / rows
	for size := c.split(blocks, (f.oc+16*widest-1)/(16*widest)); blocks > 0; {
		n := min(size, blocks)
		blocks -= n
		parts = append(parts, part{blocks * rows, n, nil})
	}
	if f.pixels()%rows != 0 {
		parts = append(parts, part{f.pixels() - rows, 1, nil})
	}
	var calls []call[gemmArgs]
	c.late = append(c.late, func() {
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
		for o := 0; o < f.oc; {
			size := 0
			for 1<<size < widest && 16<<size < f.oc-o {
				size++
			}
			from, k := see(o, 16<<size)
			panel := c.panel(f, o, 1<<size, taps, from, k, weights)
			for i := range parts {
				p := &parts[i]
				calls = append(calls, call[gemmArgs]{twice(f, gemmKernels[rows][size], gemmTwice[rows][size]), &gemmArgs{
					x: unsafe.Pointer(&c.arena[from]), table: &p.table[0], panel: &panel[0],
					out: &f.out.data[p.first*f.out.stride+o], stride: f.out.stride,
					blocks: p.blocks, taps: taps, k: k, clamp: f.clamp(),
				}})
			}
			o += 16 << size
		}
	})
	return share(c, &calls)
}

// panel packs the weights of 16*vectors output channels from first, of k bytes of input beginning with one: see
// gemmArgs.panel.
func (c *compiler) panel(f *conv, first, vectors, taps, begin, k int, weights func(o, tap int) (from int, w []int8)) []byte {
	width := 16 * vectors
	p := c.hooks.memory(width * (f.header() + taps*k))
	for e := range width {
		o := first + interleaved(vectors, e)
		if o >= f.oc {
			continue
		}
		sum := int32(0)
		for tap := range taps {
			from, ws := weights(o, tap)
			to, x := p[width*(f.header()+tap*k)+4*e:], from-begin
			if x%4 == 0 {
				for ; len(ws) >= 4; ws, x = ws[4:], x+4 { // most of them
					a, b, c, d := ws[0], ws[1], ws[2], ws[3]
					sum += int32(a) + int32(b) + int32(c) + int32(d)
					*(*[4]int8)(unsafe.Pointer(&to[width*x])) = [4]int8{a, b, c, d}
				}
			}
			for i, w := range ws {
				sum += int32(w)
				to[width*((x+i)&^3)+(x+i)&3] = byte(w)
			}
		}
		f.describe(p, e, width, o, f.bias[o]-int32(f.inputZero)*sum)
	}
	return p
}
