package native

import "unsafe"

// slideArgs are the arguments of the kernels slideRxV: R pixels next to each other by 16*V output channels at a time, of
// filters three pixels wide that move by one pixel.
type slideArgs struct {
	x      unsafe.Pointer // the arena
	table  *int32         // for each block where it goes in out; then for each row of the filter: see slideTable
	panel  *byte          // [16*V] bias int32, [16*V] scale float32, [rows][k/4][3][16*V][4] weights
	out    *byte          // of the first pixel, the panel's first channel
	stride int            // bytes from pixel to pixel of the output
	blocks int
	rows   int // of the filter
	k      int // bytes of input a tap sees, a multiple of 4
	clamp
	step int // bytes from pixel to pixel of the input
}

//go:noescape
func slide16x1(a *slideArgs)

//go:noescape
func slide8x1(a *slideArgs)

//go:noescape
func slide8x2(a *slideArgs)

//go:noescape
func slide16x1twice(a *slideArgs)

//go:noescape
func slide8x1twice(a *slideArgs)

//go:noescape
func slide8x2twice(a *slideArgs)

// slides reports whether the kernels slideRxV can have f: eight or more pixels in a row, of whose windows only the first
// pixel of the first and the last of the last may lie outside the image.
func (f *conv) slides() bool {
	return f.KW == 3 && f.Stride[1] == 1 && f.Dilation[1] == 1 && f.OW >= 8 &&
		f.Before[1] <= 1 && f.OW-f.Before[1] < f.W && f.x.stride >= roundUp(f.C, 4)
}

// slideConv is for few channels, of the input or of the output, where gemmRxV would spend its time on where the pixels
// of a tap are, or load them for one vector of output channels each.
func (c *compiler) slideConv(f *conv) work {
	k := roundUp(f.C, 4)
	c.pad(f, 16*f.x.stride)
	type form struct {
		pixels int
		kernel func(*slideArgs)
	}
	one, two := form{8, twice(f, slide8x1, slide8x1twice)}, form{8, twice(f, slide8x2, slide8x2twice)}
	if f.OW >= 16 {
		one = form{16, twice(f, slide16x1, slide16x1twice)}
	}
	calls := newCalls[slideArgs](c)
	c.late = append(c.late, func() {
		tables := map[int][]int32{}
		f.eachPanel(func(o, left int, threads []int) (channels int) {
			form, vectors := one, 1
			if left > 16 {
				form, vectors = two, 2
			}
			if tables[form.pixels] == nil {
				tables[form.pixels] = f.slideTable(form.pixels)
			}
			table := tables[form.pixels]
			panel := c.slidePanel(f, o, vectors, k)
			each := (f.OW + form.pixels - 1) / form.pixels // blocks of a row
			for i, rows := range f.rowSpans() {
				calls.add(threads[i], form.kernel, slideArgs{
					x: unsafe.Pointer(&c.arena[0]), table: &table[rows.first*each*(1+3*f.KH)], panel: &panel[0],
					out: &f.out.data[o], stride: f.out.stride, blocks: (rows.last - rows.first) * each,
					rows: f.KH, k: k, clamp: f.clamp(), step: f.x.stride,
				})
			}
			return 16 * vectors
		})
	})
	return share(calls, f.out, f.reading(f.x))
}

// slideTable says, for each block of pixels, how far in the output they are, and for each row of the filter the offsets in
// the arena of three of the input's pixels: the first that the block sees, the second, from which on all lie in a row,
// and the last. A row's last block ends with it: some of its pixels may be computed twice.
func (f *conv) slideTable(pixels int) (table []int32) {
	for row := range f.N * f.OH {
		for x := 0; x < f.OW; x += pixels {
			m := row*f.OW + min(x, f.OW-pixels)
			table = append(table, int32(m*f.out.stride))
			for ky := range f.KH {
				at := func(o, kx int) int32 { return f.tap(m+o, 3*ky+kx) }
				table = append(table, at(0, 0), at(0, 1), at(pixels-1, 2))
			}
		}
	}
	return table
}

// slidePanel packs the weights of 16*vectors output channels from first: see slideArgs.panel. Channels are in the order
// of other panels.
func (c *compiler) slidePanel(f *conv, first, vectors, k int) []byte {
	width := 16 * vectors
	p := c.hooks.memory(width * (f.header() + 3*f.KH*k))
	for e := range width {
		o := first + interleaved(e, 16, width)
		if o >= f.OC {
			continue
		}
		for ky := range f.KH {
			for kx := range 3 {
				for i, w := range f.weights[((o*f.KH+ky)*3+kx)*f.C:][:f.C] {
					p[width*(f.header()+((ky*k/4+i/4)*3+kx)*4)+4*e+i%4] = byte(w)
				}
			}
		}
		f.describe(p, e, width, o)
	}
	return p
}
