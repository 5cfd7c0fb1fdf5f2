package native

import "unsafe"

// depthwiseArgs are those of depthwiseSrowsR: 3x3 with stride S along the rows, 64/R channels of R rows at a time.
type depthwiseArgs struct {
	x       unsafe.Pointer // the arena at the first channel
	table   *int32         // for each group: [R] offsets of output rows; then runs of columns: see depthwiseTable
	panel   *byte          // [64] bias int32, [64] scale float32, [3][64][4] weights: a column's three and 0
	out     *byte          // the output at the first channel
	outStep int            // bytes from pixel to pixel
	inStep  int
	groups  int
	width   int // pixels of an output row
	clamp
}

//go:noescape
func depthwise1rows1(a *depthwiseArgs)

//go:noescape
func depthwise2rows1(a *depthwiseArgs)

//go:noescape
func depthwise1rows2(a *depthwiseArgs)

//go:noescape
func depthwise2rows2(a *depthwiseArgs)

//go:noescape
func depthwise1rows1twice(a *depthwiseArgs)

//go:noescape
func depthwise2rows1twice(a *depthwiseArgs)

//go:noescape
func depthwise1rows2twice(a *depthwiseArgs)

//go:noescape
func depthwise2rows2twice(a *depthwiseArgs)

// depthwiseKernels are by stride - 1 and rows - 1.
var depthwiseKernels = [2][2]func(*depthwiseArgs){
	{depthwise1rows1, depthwise1rows2},
	{depthwise2rows1, depthwise2rows2},
}

// depthwiseTwice are those that round twice.
var depthwiseTwice = [2][2]func(*depthwiseArgs){
	{depthwise1rows1twice, depthwise1rows2twice},
	{depthwise2rows1twice, depthwise2rows2twice},
}

// depthwise3x3 returns the calls of a 3x3 depthwise convolution: one for each 64 channels, and for up to 32 in the end
// one that has two rows in a vector.
func (c *compiler) depthwise3x3(f *conv) func() {
	columns := (f.ow-1)*f.stride[1] + 3
	c.pad(f, columns*f.x.stride)
	var calls []call[depthwiseArgs]
	c.late = append(c.late, func() {
		var tables [3][]int32
		var groups [3]int
		for o := 0; o < f.c; {
			rows := 1
			if f.c-o <= 32 {
				rows = 2
			}
			if tables[rows] == nil {
				tables[rows], groups[rows] = f.depthwiseTable(rows, columns)
			}
			panel := c.depthwisePanel(f, o, rows)
			kernel := twice(f, depthwiseKernels[f.stride[1]-1][rows-1], depthwiseTwice[f.stride[1]-1][rows-1])
			all := groups[rows]
			size, each := c.split(all, (f.c+63)/64), len(tables[rows])/all
			for first := 0; first < all; first += size {
				calls = append(calls, call[depthwiseArgs]{kernel, &depthwiseArgs{
					x: unsafe.Pointer(&c.arena[o]), table: &tables[rows][first*each], panel: &panel[0], out: &f.out.data[o],
					outStep: f.out.stride, inStep: f.x.stride, groups: min(size, all-first), width: f.ow, clamp: f.clamp(),
				}})
			}
			o += 64 / rows
		}
	})
	return share(c, &calls)
}

// depthwiseTable says, for each group of output rows, where they are and then where the columns of the windows are, in
// runs: how many follow each other, and the offsets in the arena of the first one's three pixels, for each output row.
// A run is the padding on the left, the image or the padding on the right.
func (f *conv) depthwiseTable(rows, columns int) (table []int32, groups int) {
	all := f.n * f.oh
	for first := 0; first < all; first += rows {
		var of [2]int // the group's rows; a last odd one is computed with the one before it, once more
		for r := range rows {
			of[r] = max(min(first, all-rows), 0) + r
			of[r] = min(of[r], all-1)
			table = append(table, int32(of[r]*f.ow*f.out.stride))
		}
		run := func(n int, row func(m, ky int) int32) {
			if n <= 0 {
				return
			}
			table = append(table, int32(n))
			for r := range rows {
				for ky := range 3 {
					table = append(table, row(of[r], ky))
				}
			}
		}
		outside := func(int, int) int32 { return f.locate(-1) }
		inside := func(m, ky int) int32 {
			y, ok := f.at(0, f.h, m%f.oh, ky)
			if !ok {
				return f.locate(-1)
			}
			return f.locate((m/f.oh*f.h + y) * f.w)
		}
		left := min(f.before[1], columns)
		image := min(f.w, columns-left)
		run(left, outside)
		run(image, inside)
		run(columns-left-image, outside)
		groups++
	}
	return table, groups
}

// depthwisePanel packs the weights of 64/rows channels from first, once for each row: see depthwiseArgs.panel. As in a
// panel of four vectors, element 4*j + i of vector v is the vector of bytes' element 16*j + 4*v + i.
func (c *compiler) depthwisePanel(f *conv, first, rows int) []byte {
	p := c.hooks.memory(64 * (f.header() + 3*4))
	for e := range 64 {
		v, j, i := e/16, e%16/4, e%4
		o := first + (16*j+4*v+i)%(64/rows)
		if o >= f.c {
			continue
		}
		sum := int32(0)
		for kx := range 3 {
			for ky := range 3 {
				w := f.weights[(3*ky+kx)*f.c+o]
				sum += int32(w)
				p[64*f.header()+256*kx+4*e+ky] = byte(w)
			}
		}
		f.describe(p, e, 64, o, f.bias[o]-int32(f.inputZero)*sum)
	}
	return p
}
