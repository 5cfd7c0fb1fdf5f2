package native

import (
	"encoding/binary"
	"unsafe"
)

// avx2Depthwise1 and 2 are 3x3 kernels of 16 channels of one row at a time, for stride 1 and 2 along the row. The panel
// is [16] bias int32, [16] scale float32 and five pairs [16][2] of weights int16: those of the first two rows, column by
// column, those of the third row's first two columns, and 0 with that of its last.

//go:noescape
func avx2Depthwise1(a *depthwiseArgs)

//go:noescape
func avx2Depthwise2(a *depthwiseArgs)

// avxvnniDepthwiseSrowsR are those of 32/R channels of R rows. The panel is that of depthwiseArgs, half as long.

//go:noescape
func avxvnniDepthwise1rows1(a *depthwiseArgs)

//go:noescape
func avxvnniDepthwise1rows2(a *depthwiseArgs)

//go:noescape
func avxvnniDepthwise2rows1(a *depthwiseArgs)

//go:noescape
func avxvnniDepthwise2rows2(a *depthwiseArgs)

// avxvnniDepthwiseKernels are by stride - 1 and rows - 1.
var avxvnniDepthwiseKernels = [2][2]func(*depthwiseArgs){
	{avxvnniDepthwise1rows1, avxvnniDepthwise1rows2},
	{avxvnniDepthwise2rows1, avxvnniDepthwise2rows2},
}

// pairsArgs are those of avx2DepthwisePairs: any window, 16 channels at a time.
type pairsArgs struct {
	x       unsafe.Pointer // the arena at the first channel
	table   *int32         // [pixels][pairs][2] offsets in it
	panel   *byte          // [16] bias int32, [16] scale float32, [pairs][16][2] weights int16
	out     *byte
	outStep int
	pixels  int
	pairs   int
	_       int
	clamp
}

//go:noescape
func avx2DepthwisePairs(a *pairsArgs)

// avx2Depthwise3x3 returns the calls of avx2Depthwise1 or 2.
func (c *compiler) avx2Depthwise3x3(f *conv) func() {
	kernel := avx2Depthwise1
	if f.stride[1] == 2 {
		kernel = avx2Depthwise2
	}
	pairs := [][2]int{{0, 3}, {1, 4}, {2, 5}, {6, 7}, {-1, 8}}
	return c.depthwiseCalls(f, 16, func(o int) (rows int, _ func(*depthwiseArgs), panel []byte) {
		return 1, kernel, c.pairPanel(f, o, pairs)
	})
}

// avxvnniDepthwise3x3 returns the calls of the other family.
func (c *compiler) avxvnniDepthwise3x3(f *conv) func() {
	return c.depthwiseCalls(f, 32, func(o int) (rows int, _ func(*depthwiseArgs), panel []byte) {
		rows = 1
		if f.c-o <= 16 {
			rows = 2
		}
		return rows, avxvnniDepthwiseKernels[f.stride[1]-1][rows-1], c.columnPanel(f, o, rows)
	})
}

// depthwiseCalls returns the calls of a 3x3 depthwise convolution, width channels at a time or, of two rows, half as
// many; choose says for those from channel o with which kernel.
func (c *compiler) depthwiseCalls(f *conv, width int, choose func(o int) (int, func(*depthwiseArgs), []byte)) func() {
	columns := (f.ow-1)*f.stride[1] + 3
	c.pad(f, columns*f.x.stride)
	var calls []call[depthwiseArgs]
	c.late = append(c.late, func() {
		var tables [3][]int32
		var groups [3]int
		for o := 0; o < f.c; {
			rows, kernel, panel := choose(o)
			if tables[rows] == nil {
				tables[rows], groups[rows] = f.depthwiseTable(rows, columns)
			}
			all := groups[rows]
			size, each := c.split(all, (f.c+width-1)/width), len(tables[rows])/all
			for first := 0; first < all; first += size {
				calls = append(calls, call[depthwiseArgs]{kernel, &depthwiseArgs{
					x: unsafe.Pointer(&c.arena[o]), table: &tables[rows][first*each], panel: &panel[0], out: &f.out.data[o],
					outStep: f.out.stride, inStep: f.x.stride, groups: min(size, all-first), width: f.ow, clamp: f.clamp(),
				}})
			}
			o += width / rows
		}
	})
	return share(c, &calls)
}

// depthwisePairs returns the calls of the kernel of any window.
func (c *compiler) depthwisePairs(f *conv) func() {
	var pairs [][2]int
	for t := 0; t < f.taps(); t += 2 {
		pairs = append(pairs, [2]int{t, t + 1})
	}
	if f.taps()%2 == 1 {
		pairs[len(pairs)-1][1] = -1
	}
	c.pad(f, f.x.stride)
	var calls []call[pairsArgs]
	c.late = append(c.late, func() {
		var table []int32
		for m := range f.pixels() {
			for _, pair := range pairs {
				for _, t := range pair {
					t = max(t, 0) // any pixel will do for the weight 0
					table = append(table, f.locate(f.input(m, t/f.kw, t%f.kw)))
				}
			}
		}
		size := c.split(f.pixels(), (f.c+15)/16)
		for o := 0; o < f.c; o += 16 {
			panel := c.pairPanel(f, o, pairs)
			for m := 0; m < f.pixels(); m += size {
				calls = append(calls, call[pairsArgs]{avx2DepthwisePairs, &pairsArgs{
					x: unsafe.Pointer(&c.arena[o]), table: &table[2*len(pairs)*m], panel: &panel[0],
					out: &f.out.data[m*f.out.stride+o], outStep: f.out.stride,
					pixels: min(size, f.pixels()-m), pairs: len(pairs), clamp: f.clamp(),
				}})
			}
		}
	})
	return share(c, &calls)
}

// pairPanel packs the weights of 16 channels from first as pairs of taps, -1 being none. Unpacking words leaves channels
// 0-3 and 8-11 in one register, the others in a second.
func (c *compiler) pairPanel(f *conv, first int, pairs [][2]int) []byte {
	p := c.hooks.memory(16 * (4 + 4 + 4*len(pairs)))
	for e := range 16 {
		o := first + e%4 + e%8/4*8 + e/8*4
		if o >= f.c {
			continue
		}
		sum := int32(0)
		for i, pair := range pairs {
			for j, t := range pair {
				if t < 0 {
					continue
				}
				w := f.weights[t*f.c+o]
				sum += int32(w)
				binary.LittleEndian.PutUint16(p[128+64*i+4*e+2*j:], uint16(int16(w)))
			}
		}
		f.output.put(p, 4*e, 64+4*e, o, f.bias[o]-int32(f.inputZero)*sum)
	}
	return p
}

// columnPanel packs the weights of 32/rows channels from first, once for each row: as compiler.depthwisePanel does for
// twice as many.
func (c *compiler) columnPanel(f *conv, first, rows int) []byte {
	p := c.hooks.memory(32 * (4 + 4 + 3*4))
	for e := range 32 {
		v, j, i := e/8, e%8/4, e%4
		o := first + (16*j+4*v+i)%(32/rows)
		if o >= f.c {
			continue
		}
		sum := int32(0)
		for kx := range 3 {
			for ky := range 3 {
				w := f.weights[(3*ky+kx)*f.c+o]
				sum += int32(w)
				p[256+128*kx+4*e+ky] = byte(w)
			}
		}
		f.output.put(p, 4*e, 128+4*e, o, f.bias[o]-int32(f.inputZero)*sum)
	}
	return p
}
