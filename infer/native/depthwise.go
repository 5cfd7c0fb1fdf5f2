//go:build amd64 || arm64

package native

import "unsafe"

// Depthwise convolutions: the calls of kernels, and where these find their input and their weights.

// depthwiseArgs are those of the 3x3 kernels, for stride 1 or 2 along the rows, some channels of one or two rows at a
// time.
type depthwiseArgs struct {
	x       unsafe.Pointer // the arena at the first channel
	table   *int32         // for each group of rows: see depthwiseTable
	panel   *byte          // biases, scales, weights
	out     *byte          // the output at the first channel
	outStep int            // bytes from pixel to pixel
	inStep  int
	groups  int // of output rows
	width   int // pixels of one
	clamp
}

// depthwiseKernel is one of them: what it computes a call and the weights of that.
type depthwiseKernel struct {
	run            func(*depthwiseArgs)
	channels, rows int
	panel          []byte
}

// depthwiseCalls returns the calls of a 3x3 depthwise convolution. choose gives the kernel for the channels from o on, of
// which so many are left.
func (c *compiler) depthwiseCalls(f *conv, choose func(o, left int) depthwiseKernel) work {
	columns := (f.OW-1)*f.Stride[1] + 3
	c.pad(f, columns*f.x.stride)
	calls := newCalls[depthwiseArgs](c)
	c.late = append(c.late, func() {
		var tables [3][][]int32 // by rows
		f.eachPanel(func(o, left int, threads []int) (channels int) {
			k := choose(o, left)
			spans := f.rowSpans()
			if tables[k.rows] == nil {
				for _, rows := range spans {
					tables[k.rows] = append(tables[k.rows], f.depthwiseTable(rows, k.rows, columns))
				}
			}
			for i, rows := range spans {
				calls.add(threads[i], k.run, depthwiseArgs{
					x: unsafe.Pointer(&c.arena[o]), table: &tables[k.rows][i][0], panel: &k.panel[0], out: &f.out.data[o],
					outStep: f.out.stride, inStep: f.x.stride, groups: (rows.last - rows.first + k.rows - 1) / k.rows,
					width: f.OW, clamp: f.clamp(),
				})
			}
			return k.channels
		})
	})
	return share(calls, f.out, f.reading(f.x))
}

// byColumns reports whether the 3x3 kernels can have f.
func (f *conv) byColumns() bool {
	return f.KH == 3 && f.KW == 3 && f.Dilation == [2]int{1, 1} && f.Stride[1] <= 2
}

// depthwisePanel packs the weights of a kernel's channels, channel(e) being that of element e of a vector: what describe
// writes, then n weights of each, [n/together][width][together]. The weight of a tap is that at place(tap), the rest are 0.
func (c *compiler) depthwisePanel(f *conv, width, n, together int, channel, place func(int) int) []byte {
	head := width * f.header()
	p := c.hooks.memory(head + width*n)
	for e := range width {
		o := channel(e)
		if o >= f.C {
			continue
		}
		for tap := range f.taps() {
			i := place(tap)
			p[head+i/together*together*width+e*together+i%together] = byte(f.weights[tap*f.C+o])
		}
		f.describe(p, e, width, o)
	}
	return p
}

// depthwiseTable says, for each group of some output rows, where they are and then where the columns of the windows are, in
// runs: how many follow each other, and the offsets in the arena of the first one's three pixels, for each output row.
// A run is the padding on the left, the image or the padding on the right.
func (f *conv) depthwiseTable(of span, rows, columns int) (table []int32) {
	left := min(f.Before[1], columns)
	image := min(f.W, columns-left)
	for first := of.first; first < of.last; first += rows {
		var group [2]int // a last odd row is computed with the one before it, once more, or twice
		for r := range rows {
			group[r] = min(max(min(first, of.last-rows), of.first)+r, of.last-1)
			table = append(table, int32(group[r]*f.OW*f.out.stride))
		}
		for i, n := range [3]int{left, image, columns - left - image} {
			if n <= 0 {
				continue
			}
			table = append(table, int32(n))
			for _, m := range group[:rows] {
				for ky := range 3 {
					pixel := -1
					if y, ok := f.At(0, m%f.OH, ky); ok && i == 1 {
						pixel = (m/f.OH*f.H + y) * f.W
					}
					table = append(table, f.locate(pixel))
				}
			}
		}
	}
	return table
}

// inOrder has taps one after the other.
func inOrder(tap int) int { return tap }

// tapsArgs are those of the kernels of any window, some channels at a time.
type tapsArgs struct {
	x       unsafe.Pointer // the arena at the first channel
	table   *int32         // [pixels][groups][taps of a group] offsets of the taps' pixels
	panel   *byte          // biases, scales, [groups] weights
	out     *byte          // the output at the first channel
	outStep int            // bytes from pixel to pixel
	pixels  int
	groups  int // of taps
	_       int
	clamp
}

// tapsKernel is one of them, with the weights of the channels that it computes a call.
type tapsKernel struct {
	run      func(*tapsArgs)
	channels int
	panel    []byte
}

// tapsCalls returns the calls of a depthwise convolution of any window, by kernels that take so many taps together.
// choose gives that for the channels from o on, of which so many are left.
func (c *compiler) tapsCalls(f *conv, together int, choose func(o, left int) tapsKernel) work {
	c.pad(f, f.x.stride)
	c.charge(f.pixels() * roundUp(f.taps(), together) * 4)
	calls := newCalls[tapsArgs](c)
	c.late = append(c.late, func() {
		table := f.offsets(together)
		each := roundUp(f.taps(), together)
		f.eachPanel(func(o, left int, threads []int) (channels int) {
			k := choose(o, left)
			for i, pixels := range spans(f.out.cut.pixels) {
				calls.add(threads[i], k.run, tapsArgs{
					x: unsafe.Pointer(&c.arena[o]), table: &table[pixels.first*each], panel: &k.panel[0],
					out: &f.out.data[pixels.first*f.out.stride+o], outStep: f.out.stride,
					pixels: pixels.last - pixels.first, groups: each / together, clamp: f.clamp(),
				})
			}
			return k.channels
		})
	})
	return share(calls, f.out, f.reading(f.x))
}
