package interp

import (
	"runtime"
	"sync"
)

// Kernels for processors with wide registers, the same bits: the sums of 32 output channels of up to eight pixels stay in
// registers while all taps go by. A lane of a register sees the float32 operations that dotFloat has for its channel, in
// the same order, each rounded on its own; int32 sums are exact in any order.

// block is the number of output channels computed together, mostPixels of pixels.
const block, mostPixels = 4 * lanes, 8

// dotLoop adds a stretch of taps to the sums of some pixels.
type dotLoop[X, S any] struct {
	pixels int
	// sum is (pixels, block); x the first pixel's inputs, those of the next step bytes further; w (n, block) of four bytes.
	run func(sum *S, x *X, step, n int, w *X)
}

// blocked is a convolution without groups, whose inputs and weights are X, its sums S.
type blocked[X, S any] struct {
	window
	x, w  []X             // w is (blocks, kh*kw*depth/unit, block, unit)
	unit  int             // taps in four bytes
	dots  []dotLoop[X, S] // for the most pixels first
	spans []span
	sum   []S // (mostPixels, block)
}

// span is a run of output positions of a row whose windows meet the data with the same taps kx.
type span struct{ from, to, kx0, kx1 int }

func newBlocked[X, S any](g window, x []X, unit int, dots []dotLoop[X, S]) *blocked[X, S] {
	if g.KH == 1 && g.KW == 1 && g.Stride == [2]int{1, 1} && g.Before == [2]int{} {
		pixels := g.N * g.H * g.W // in one row: an input for each output
		g.N, g.H, g.OH, g.W, g.OW = 1, 1, 1, pixels, pixels
	}
	b := &blocked[X, S]{window: g, x: x, unit: unit, dots: dots, sum: make([]S, mostPixels*block)}
	b.spans = g.spans()
	return b
}

// spans divides a row of the result.
func (g *window) spans() (spans []span) {
	for at := range g.OW {
		kx0, kx1 := g.taps(1, at)
		if last := len(spans) - 1; last >= 0 && spans[last].kx0 == kx0 && spans[last].kx1 == kx1 {
			spans[last].to++
		} else {
			spans = append(spans, span{at, at + 1, kx0, kx1})
		}
	}
	return spans
}

// pack lays weights (oc, kh*kw, depth) out for w; of what they lack to the window's depth it makes zeros.
func pack[W, X int8 | int16 | float32, S any](b *blocked[X, S], weights []W, depth int) []X {
	taps := b.KH * b.KW
	size := block * taps * b.Depth
	packed := make([]X, (b.OC+block-1)/block*size)
	var group sync.WaitGroup
	share := max((b.OC/block+runtime.GOMAXPROCS(0))/runtime.GOMAXPROCS(0), 1) * block // channels a processor takes
	for from := 0; from < b.OC; from += share {
		group.Go(func() {
			for first := from; first < min(from+share, b.OC); first += block {
				filters := make([][]W, min(block, b.OC-first))
				for o := range filters {
					filters[o] = weights[(first+o)*taps*depth:][:taps*depth]
					if depth != b.Depth {
						filters[o] = deepen(filters[o], depth, b.Depth)
					}
				}
				interleave(packed[first/block*size:], filters, b.unit)
			}
		})
	}
	group.Wait()
	return packed
}

// interleave writes unit weights of each filter, then the next ones of each: filter o's are at o*unit, block*unit further, and so on.
func interleave[X, W int8 | int16 | float32](to []X, filters [][]W, unit int) {
	const tile = 64 // weights of each, so that where they go stays in a cache until all have written there
	for from := 0; from < len(filters[0]); from += tile {
		for o, filter := range filters {
			at := from*block + o*unit
			for rest := filter[from:min(from+tile, len(filter))]; len(rest) >= unit; rest = rest[unit:] {
				for i, w := range rest[:unit] {
					to[at+i] = X(w)
				}
				at += block * unit
			}
		}
	}
}

// deepen pads each tap of a filter with zeros, from from weights to to.
func deepen[W any](filter []W, from, to int) []W {
	deeper := make([]W, len(filter)/from*to)
	for tap := range len(filter) / from {
		copy(deeper[tap*to:], filter[tap*from:][:from])
	}
	return deeper
}

// run computes every sum from what begin sets it to. end gets those of some neighbouring pixels, (pixels, block), the first
// of the block's channels, and the place of the first result.
func (b *blocked[X, S]) run(begin func(sum []S, first int), end func(sum []S, first, at, pixels int)) {
	depth, step := b.KH*b.KW*b.Depth, b.Stride[1]*b.C*4/b.unit
	for first := 0; first < b.OC; first += block {
		w := b.w[first*depth:]
		for n := range b.N {
			for y := range b.OH {
				for _, s := range b.spans {
					for x := s.from; x < s.to; {
						d := b.dots[0]
						for i := 1; d.pixels > s.to-x; i++ {
							d = b.dots[i]
						}
						sum := b.sum[:d.pixels*block]
						begin(sum, first)
						b.stretches(n, y, x, s, func(in, length, k int) {
							d.run(&sum[0], &b.x[in], step, length/b.unit, &w[k*block])
						})
						end(sum, first, b.out0(n, y, x)+first, d.pixels)
						x += d.pixels
					}
				}
			}
		}
	}
}

// stretches is runs for a position within a span.
func (b *blocked[X, S]) stretches(n, y, x int, s span, dot func(in, length, k int)) {
	if s.kx0 == s.kx1 {
		return
	}
	ix, _ := b.At(1, x, s.kx0)
	ky0, ky1 := b.taps(0, y)
	for ky := ky0; ky < ky1; ky++ {
		iy, _ := b.At(0, y, ky)
		in, k := b.x0(n, iy, ix), (ky*b.KW+s.kx0)*b.Depth
		if b.Dilation[1] == 1 { // neighbouring taps are neighbours in memory
			dot(in, (s.kx1-s.kx0)*b.C, k)
			continue
		}
		for range s.kx1 - s.kx0 {
			dot(in, b.Depth, k)
			in, k = in+b.Dilation[1]*b.C, k+b.Depth
		}
	}
}

// forSums is what goes with the sums of each block: v, filled up with zeros, for every pixel.
func forSums(v []float32) (blocks [][]float32) {
	for first := 0; first < len(v); first += block {
		b := make([]float32, mostPixels*block)
		for p := range mostPixels {
			copy(b[p*block:(p+1)*block], v[first:])
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// wide returns ref's equal for a convolution without groups.
func (f *floatConv) wide(c *compiler) func() {
	b := newBlocked(f.window, f.x, 1, floatDots())
	b.w = packed(c, &b.window, f.w, func() []float32 { return pack(b, f.w, f.Depth) })
	bias := forSums(f.bias)
	begin := func(sum []float32, _ int) { clear(sum) }
	end := func(sum []float32, first, at, pixels int) {
		width := min(block, f.OC-first)
		if hasWider && width == block {
			finishFloat(&f.out[at], &sum[0], &bias[first/block][0], 4*f.OC, pixels, f.lo, f.hi)
			return
		}
		if hasWider {
			finishFloat(&sum[0], &sum[0], &bias[first/block][0], 4*block, pixels, f.lo, f.hi)
		}
		for p := range pixels {
			out := f.out[at+p*f.OC:][:width]
			copy(out, sum[p*block:])
			if !hasWider {
				for i, v := range out {
					out[i] = f.finish(v, first+i)
				}
			}
		}
	}
	return func() { b.run(begin, end) }
}

// wide returns ref's equal for a convolution without groups. A 32-bit lane takes the products of two neighbouring
// taps at once: inputs less the zero point are within ±255, so that both fit. To an odd number of channels comes one of
// zeros.
func (f *intConv) wide(c *compiler) func() {
	even := f.window
	even.C += f.C % 2
	even.Depth += f.C % 2
	centred := make([]int16, f.N*f.H*f.window.W*even.C)
	b := newBlocked(even, centred, 2, intDots())
	b.w = packed(c, &b.window, f.w, func() []int16 { return pack(b, f.w, f.Depth) })
	begin := func(sum []int32, first int) {
		bias := f.bias[first:min(first+block, f.OC)]
		for at := 0; at < len(sum); at += block {
			copy(sum[at:], bias)
		}
	}
	end := f.finishBlock()
	return func() {
		f.centre(centred, even.C)
		b.run(begin, end)
	}
}

// centre writes the input less its zero point, for pixels of so many channels.
func (f *intConv) centre(centred []int16, channels int) {
	if channels != f.C {
		for at, to := 0, 0; at < len(f.x); at, to = at+f.C, to+channels {
			for i, q := range f.x[at : at+f.C] {
				centred[to+i] = int16(int32(q) - f.zeroX)
			}
		}
		return
	}
	whole := len(f.x) &^ 15
	if whole > 0 {
		centre(&centred[0], &f.x[0], whole, int16(f.zeroX))
	}
	for i, q := range f.x[whole:] {
		centred[whole+i] = int16(int32(q) - f.zeroX)
	}
}

// finishBlock returns what turns the sums of a block into results.
func (f *intConv) finishBlock() func(sum []int32, first, at, pixels int) {
	ratios := f.ratios()
	if ratios == nil {
		return func(sum []int32, first, at, pixels int) {
			width := min(block, f.OC-first)
			for p := range pixels {
				for i, s := range sum[p*block:][:width] {
					f.out[at+p*f.OC+i] = f.finish(s, first+i)
				}
			}
		}
	}
	ratio := forSums(ratios)
	narrow := make([]int8, mostPixels*block)
	lo, hi := float32(f.limit.Min), float32(f.limit.Max)
	return func(sum []int32, first, at, pixels int) {
		finishInt(&narrow[0], &sum[0], &ratio[first/block][0], len(sum), lo, hi, f.zero)
		width := min(block, f.OC-first)
		for p := range pixels {
			copy(f.out[at+p*f.OC:][:width], narrow[p*block:])
		}
	}
}

// ratios are the channels' factors for finishInt; nil where it is not the rounding asked for.
func (f *intConv) ratios() []float32 {
	if !hasWider || !f.single {
		return nil
	}
	ratios := make([]float32, f.OC)
	for o, r := range f.requant {
		ratios[o] = r.Ratio()
	}
	return ratios
}
