package interp

// Depthwise convolutions with a multiplier of 1, 16 channels at a time; those left over go one by one.

// depthRow says where depthFloat finds what it needs, in bytes but for the counts.
type depthRow struct {
	pixels, rows, taps, channels int // results; the window's rows, and taps in a row
	step, row, tap               int // in x from a pixel's window to the next one's, from row to row, from tap to tap
	weightRow, pixel             int // from row to row of the weights; from tap to tap of them, and from result to result
	lo, hi                       float32
}

// depthwiseWide returns depthwiseRows' equal.
func (f *floatConv) depthwiseWide() func() {
	whole, spans := f.C&^15, f.spans()
	r := depthRow{channels: whole, step: 4 * f.Stride[1] * f.C, row: 4 * f.Dilation[0] * f.window.W * f.C,
		tap: 4 * f.Dilation[1] * f.C, weightRow: 4 * f.KW * f.C, pixel: 4 * f.C, lo: f.lo, hi: f.hi}
	return func() {
		for n := range f.N {
			for y := range f.OH {
				ky0, ky1 := f.taps(0, y)
				for _, s := range spans {
					r.pixels, r.rows, r.taps = s.to-s.from, ky1-ky0, s.kx1-s.kx0
					if r.rows > 0 && r.taps > 0 {
						iy, _ := f.At(0, y, ky0)
						ix, _ := f.At(1, s.from, s.kx0)
						depthFloat(&f.out[f.out0(n, y, s.from)], &f.x[f.x0(n, iy, ix)], &f.w[(ky0*f.KW+s.kx0)*f.C], &f.bias[0], &r)
					} else {
						f.depthwiseChannels(n, y, s, ky0, ky1, 0)
					}
					f.depthwiseChannels(n, y, s, ky0, ky1, whole)
				}
			}
		}
	}
}

// depthwiseChannels computes the channels from first on for the results of a span.
func (f *floatConv) depthwiseChannels(n, y int, s span, ky0, ky1, first int) {
	for x := s.from; x < s.to; x++ {
		for c := first; c < f.C; c++ {
			var sum float32
			for ky := ky0; ky < ky1; ky++ {
				for kx := s.kx0; kx < s.kx1; kx++ {
					iy, _ := f.At(0, y, ky)
					ix, _ := f.At(1, x, kx)
					sum += float32(f.x[f.x0(n, iy, ix)+c] * f.w[(ky*f.KW+kx)*f.C+c])
				}
			}
			f.out[f.out0(n, y, x)+c] = f.finish(sum, c)
		}
	}
}

// depthwiseWide returns depthwiseRows' equal.
func (f *intConv) depthwiseWide() func() {
	whole := f.C &^ 15
	wide := make([]int32, len(f.w))
	for i, w := range f.w {
		wide[i] = int32(w)
	}
	sum, ratios := make([]int32, f.C), f.ratios()
	lo, hi := float32(f.limit.Min), float32(f.limit.Max)
	begin := func(int) { copy(sum, f.bias) }
	do := func(in, w, n int) {
		tapsInt(&sum[0], &f.x[in], &wide[w], n, f.C, whole, f.zeroX)
		for t := range n {
			x, w := f.x[in+t*f.C:][:f.C], wide[w+t*f.C:][:f.C]
			for c := whole; c < f.C; c++ {
				sum[c] += (int32(x[c]) - f.zeroX) * w[c]
			}
		}
	}
	end := func(out int) {
		done := 0
		if ratios != nil {
			finishInt(&f.out[out], &sum[0], &ratios[0], whole, lo, hi, f.zero)
			done = whole
		}
		for c := done; c < f.C; c++ {
			f.out[out+c] = f.finish(sum[c], c)
		}
	}
	return func() { f.eachPixel(begin, do, end) }
}

// eachPixel goes through the pixels of a depthwise result, each at its place out: begin, then do for every run of n taps
// that are neighbours in memory, with the places of the first in the input and in the weights, then end.
func (g *window) eachPixel(begin func(out int), do func(in, w, n int), end func(out int)) {
	for n := range g.N {
		for y := range g.OH {
			ky0, ky1 := g.taps(0, y)
			for x := range g.OW {
				kx0, kx1 := g.taps(1, x)
				out := g.out0(n, y, x)
				begin(out)
				for ky := ky0; ky < ky1 && kx0 < kx1; ky++ {
					iy, _ := g.At(0, y, ky)
					ix, _ := g.At(1, x, kx0)
					in, w := g.x0(n, iy, ix), (ky*g.KW+kx0)*g.C
					if g.Dilation[1] == 1 {
						do(in, w, kx1-kx0)
						continue
					}
					for range kx1 - kx0 {
						do(in, w, 1)
						in, w = in+g.Dilation[1]*g.C, w+g.C
					}
				}
				end(out)
			}
		}
	}
}
