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

// chunk is how many bytes of a pixel the kernels read at a time.
const chunk = 4

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
func (c *compiler) gemm(f *conv, x *buffer, taps int, see func(o, n int) (from, k int),
	at func(m, tap int) int32, weights func(o, tap int) (from int, w []int8)) work {
	rows, widest := block(f.fewest())
	c.charge(f.pixels() * taps * 4)
	calls := newCalls[gemmArgs](c)
	c.late = append(c.late, func() {
		all := f.rowBlocks(rows, taps, at)
		f.eachPanel(func(o, left int, threads []int) (channels int) {
			size := 0
			for 1<<size < widest && 16<<size < left {
				size++
			}
			from, k := see(o, 16<<size)
			panel := c.panel(f, o, 1<<size, taps, from, k, weights)
			for i, thread := range threads {
				for _, b := range all[i] {
					calls.add(thread, twice(f, gemmKernels[rows][size], gemmTwice[rows][size]), gemmArgs{
						x: unsafe.Pointer(&c.arena[from]), table: &b.table[0], panel: &panel[0],
						out: &f.out.data[b.first*f.out.stride+o], stride: f.out.stride,
						blocks: b.n, taps: taps, k: k, clamp: f.clamp(),
					})
				}
			}
			return 16 << size
		})
	})
	return share(calls, f.out, f.sees(x))
}

// kernelZero is x's zero point as the kernels see it: they take bytes q + 128 as they are.
func (f *conv) kernelZero() int32 { return int32(f.inputZero) }

// panel packs the weights of 16*vectors output channels from first, of k bytes of input beginning with one: see
// gemmArgs.panel.
func (c *compiler) panel(f *conv, first, vectors, taps, begin, k int, weights func(o, tap int) (from int, w []int8)) []byte {
	width := 16 * vectors
	p := c.hooks.memory(width * (f.header() + taps*k))
	for e := range width {
		o := first + interleaved(vectors, e)
		if o >= f.OC {
			continue
		}
		for tap := range taps {
			from, ws := weights(o, tap)
			to, x := p[width*(f.header()+tap*k)+4*e:], from-begin
			if x%4 == 0 {
				for ; len(ws) >= 4; ws, x = ws[4:], x+4 { // most of them
					*(*[4]int8)(unsafe.Pointer(&to[width*x])) = [4]int8(ws)
				}
			}
			for i, w := range ws {
				to[width*((x+i)&^3)+(x+i)&3] = byte(w)
			}
		}
		f.describe(p, e, width, o)
	}
	return p
}
