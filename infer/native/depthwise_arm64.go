package native

import (
	"math"
	"unsafe"
)

// depthwiseArgs are those of the kernels FDepthwiseSxC: 3x3 with stride S along the rows, C channels at a time.
type depthwiseArgs struct {
	x       unsafe.Pointer // the arena at the first channel
	table   *int32         // for each output row: its offset; then runs of columns: see depthwiseTable
	panel   *byte          // [C] bias int32, [C] scale float32, the weights: see depthwisePanel
	out     *byte          // the output at the first channel
	outStep int            // bytes from pixel to pixel
	inStep  int
	rows    int // of the output
	width   int // pixels of one
	clamp
}

//go:noescape
func dotDepthwise1x16(a *depthwiseArgs)

//go:noescape
func dotDepthwise1x8(a *depthwiseArgs)

//go:noescape
func dotDepthwise2x16(a *depthwiseArgs)

//go:noescape
func dotDepthwise2x8(a *depthwiseArgs)

//go:noescape
func longDepthwise1x16(a *depthwiseArgs)

//go:noescape
func longDepthwise1x8(a *depthwiseArgs)

//go:noescape
func longDepthwise2x16(a *depthwiseArgs)

//go:noescape
func longDepthwise2x8(a *depthwiseArgs)

// depthwiseKernels are by stride - 1, for 8 and for 16 channels.
var depthwiseKernels = map[Family][2][2]func(*depthwiseArgs){
	Dotprod: {{dotDepthwise1x8, dotDepthwise1x16}, {dotDepthwise2x8, dotDepthwise2x16}},
	Neon:    {{longDepthwise1x8, longDepthwise1x16}, {longDepthwise2x8, longDepthwise2x16}},
}

// depthwise3x3 returns the calls of a 3x3 depthwise convolution: one for each 16 channels, and for up to 8 in the end one
// of 8. It is nil where a sum of two products may not fit into the 16 bits that the family neon has for it.
func (c *compiler) depthwise3x3(f *conv) func() {
	if c.kernels.family == Neon && !f.pairsOfTaps(func(t int) int { return t%3*3 + t/3 }) {
		return nil
	}
	columns := (f.ow-1)*f.stride[1] + 3
	c.pad(f, columns*f.x.stride)
	var calls []call[depthwiseArgs]
	c.late = append(c.late, func() {
		table := f.depthwiseTable(columns)
		all := f.n * f.oh
		var begin []int // of each output row in table
		for i := 0; i < len(table); i += len(table) / all {
			begin = append(begin, i)
		}
		size := c.split(all, (f.c+15)/16)
		for o := 0; o < f.c; {
			wide := 1
			if f.c-o <= 8 {
				wide = 0
			}
			channels := 8 << wide
			panel := c.depthwisePanel(f, o, channels)
			for first := 0; first < all; first += size {
				calls = append(calls, call[depthwiseArgs]{depthwiseKernels[c.kernels.family][f.stride[1]-1][wide], &depthwiseArgs{
					x: unsafe.Pointer(&c.arena[o]), table: &table[begin[first]], panel: &panel[0], out: &f.out.data[o],
					outStep: f.out.stride, inStep: f.x.stride, rows: min(size, all-first), width: f.ow, clamp: f.clamp(),
				}})
			}
			o += channels
		}
	})
	return share(c, &calls)
}

// depthwiseTable says, for each output row, where it is and then where the columns of the windows are, in runs: how many
// follow each other, and the offsets in the arena of the first one's three pixels. A run is the padding on the left, the
// image or the padding on the right.
func (f *conv) depthwiseTable(columns int) (table []int32) {
	left := min(f.before[1], columns)
	image := min(f.w, columns-left)
	for m := range f.n * f.oh {
		table = append(table, int32(m*f.ow*f.out.stride))
		for i, n := range [3]int{left, image, columns - left - image} {
			if n <= 0 {
				continue
			}
			table = append(table, int32(n))
			for ky := range 3 {
				pixel := -1
				if y, ok := f.at(0, f.h, m%f.oh, ky); ok && i == 1 {
					pixel = (m/f.oh*f.h + y) * f.w
				}
				table = append(table, f.locate(pixel))
			}
		}
	}
	return table
}

// depthwisePanel packs the weights of some channels from first, column by column. The family dotprod has the three of a
// column and a 0 for each channel, [3][channels][4]; the family neon the channels for each, [3][3][channels].
func (c *compiler) depthwisePanel(f *conv, first, channels int) []byte {
	p := c.hooks.memory(channels * (4 + 4 + 3*4))
	for e := range min(channels, f.c-first) {
		o, sum := first+e, int32(0)
		for kx := range 3 {
			for ky := range 3 {
				w := f.weights[(3*ky+kx)*f.c+o]
				sum += int32(w)
				at := 4*(kx*channels+e) + ky
				if c.kernels.family == Neon {
					at = (3*kx+ky)*channels + e
				}
				p[8*channels+at] = byte(w)
			}
		}
		f.output.put(p, 4*e, 4*(channels+e), o, f.bias[o]-f.signedZero()*sum)
	}
	return p
}

// pairsOfTaps is pairs for depthwise convolutions: taps are taken in pairs, in an order.
func (f *conv) pairsOfTaps(order func(t int) int) bool {
	for t := 0; t+1 < f.taps(); t += 2 {
		for o := range f.c {
			if f.weights[order(t)*f.c+o] == math.MinInt8 && f.weights[order(t+1)*f.c+o] == math.MinInt8 {
				return false
			}
		}
	}
	return true
}
