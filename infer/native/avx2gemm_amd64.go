package native

import "unsafe"

//go:noescape
func avx2Gemm6x2(a *gemmArgs)

//go:noescape
func avx2Gemm4x2(a *gemmArgs)

//go:noescape
func avx2Gemm8x1(a *gemmArgs)

//go:noescape
func avx2Gemm4x1(a *gemmArgs)

//go:noescape
func avx2Gemm1x4(a *gemmArgs)

//go:noescape
func avx2Gemm1x2(a *gemmArgs)

//go:noescape
func avx2Gemm1x1(a *gemmArgs)

//go:noescape
func avxvnniGemm6x2(a *gemmArgs)

//go:noescape
func avxvnniGemm4x2(a *gemmArgs)

//go:noescape
func avxvnniGemm8x1(a *gemmArgs)

//go:noescape
func avxvnniGemm4x1(a *gemmArgs)

//go:noescape
func avxvnniGemm1x4(a *gemmArgs)

//go:noescape
func avxvnniGemm1x2(a *gemmArgs)

//go:noescape
func avxvnniGemm1x1(a *gemmArgs)

// productKernels are a family's kernels of R rows by V vectors of eight output channels: [V][R].
type productKernels struct {
	element int // bytes of an input and of a weight
	shapes  map[int]map[int]func(*gemmArgs)
}

var avx2Products = productKernels{2, map[int]map[int]func(*gemmArgs){
	1: {1: avx2Gemm1x1, 4: avx2Gemm4x1, 8: avx2Gemm8x1},
	2: {1: avx2Gemm1x2, 4: avx2Gemm4x2, 6: avx2Gemm6x2},
	4: {1: avx2Gemm1x4},
}}

var avxvnniProducts = productKernels{1, map[int]map[int]func(*gemmArgs){
	1: {1: avxvnniGemm1x1, 4: avxvnniGemm4x1, 8: avxvnniGemm8x1},
	2: {1: avxvnniGemm1x2, 4: avxvnniGemm4x2, 6: avxvnniGemm6x2},
	4: {1: avxvnniGemm1x4},
}}

// shape is the kernel's for m rows and n output channels.
func (productKernels) shape(m, n int) (rows, vectors int) {
	switch {
	case m < 4 && n > 16:
		return 1, 4
	case m < 4 && n > 8:
		return 1, 2
	case m < 4:
		return 1, 1
	case n > 8 && (m == 6 || m >= 64):
		return 6, 2
	case n > 8:
		return 4, 2
	case m < 8:
		return 4, 1
	}
	return 8, 1
}

// product returns the calls that multiply: sum[m,o] = bias[o] + the sum over taps and i < k of
// in.at(m,tap)[i] * in.weight(o,tap,i).
func (c *compiler) product(f *conv, kernels productKernels, in operand) work {
	c.charge(f.pixels() * in.taps * 4)
	calls := newCalls[gemmArgs](c)
	c.late = append(c.late, func() {
		tables := map[int][][]rowBlocks{} // by rows
		var panels []panelShape
		size := 0
		f.eachPanel(func(o, left int, threads []int) (channels int) {
			p := panelShape{first: o, at: size, threads: threads}
			p.rows, p.vectors = kernels.shape(f.fewest(), left)
			p.from, p.k = f.see(o, 8*p.vectors, in)
			panels = append(panels, p)
			size += p.size(in)
			return 8 * p.vectors
		})
		weights := c.hooks.memory(size) // one after the other, so that a kernel can call for the next in time
		for _, p := range panels {
			if tables[p.rows] == nil {
				tables[p.rows] = f.rowBlocks(p.rows, in.taps, in.at)
			}
			panel := weights[p.at:][:p.size(in)]
			f.fillPanel(panel, p, 4/kernels.element, in)
			for i, thread := range p.threads {
				for _, b := range tables[p.rows][i] {
					calls.add(thread, kernels.shapes[p.vectors][p.rows], gemmArgs{
						x: unsafe.Pointer(&c.arena[p.from*kernels.element]), table: &b.table[0], panel: &panel[0],
						out: &f.out.data[b.first*f.out.stride+p.first], stride: f.out.stride,
						blocks: b.n, taps: in.taps, k: p.k * kernels.element, clamp: f.clamp(),
					})
				}
			}
		}
	})
	return append(in.fill, share(calls, f.out, f.sees(in.buffer))...)
}

// see is which elements of a tap the n output channels from o depend on: in groups, only those of theirs.
func (f *conv) see(o, n int, in operand) (from, k int) {
	if f.Depth == f.C || in.k < widenStep {
		return 0, in.k
	}
	from = f.Group(o) / widenStep * widenStep
	return from, roundUp(f.Group(min(o+n, f.OC)-1)+f.Depth, widenStep) - from
}

// panelShape is which kernel computes the 8*vectors channels from the first, and from which k elements of a tap.
type panelShape struct {
	first, rows, vectors int
	from, k              int
	at                   int   // of the panel in the layer's weights
	threads              []int // for each range of pixels
}

func (p panelShape) size(in operand) int { return 8 * p.vectors * (8 + in.taps*p.k) }

// fillPanel packs weights: gemmArgs.panel with vectors of eight, and so many inputs a group. The columns are in the
// order of compiler.panel, for the same reason.
func (f *conv) fillPanel(to []byte, p panelShape, group int, in operand) {
	width := 8 * p.vectors
	for e := range width {
		v, j, i := e/8, e%8/4, e%4
		o := p.first + 4*(p.vectors*j+v) + i
		if o >= f.OC {
			continue
		}
		for tap := range in.taps {
			for x := range p.k {
				w := in.weight(o, tap, p.from+x)
				to[width*8+(tap*p.k+x)/group*width*group+e*group+x%group] = byte(w)
			}
		}
		f.describe(to, e, width, o)
	}
}
