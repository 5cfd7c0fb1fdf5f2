package interp

// Depthwise convolutions with a multiplier of 1, 16 channels at a time; those left over go one by one.

// depthwiseWide returns depthwiseRows' equal.
func (f *floatConv) depthwiseWide() func() {
	whole := f.c &^ 15
	var sum []float32
	begin := func(out int) {
		sum = f.out[out:][:f.c]
		clear(sum)
	}
	do := func(in, w, n int) {
		tapsFloat(&sum[0], &f.x[in], &f.w[w], n, f.c, whole)
		for t := range n {
			x, w := f.x[in+t*f.c:][:f.c], f.w[w+t*f.c:][:f.c]
			for c := whole; c < f.c; c++ {
				sum[c] += float32(x[c] * w[c])
			}
		}
	}
	end := func(int) {
		finishFloat(&sum[0], &sum[0], &f.bias[0], whole, f.lo, f.hi)
		for c := whole; c < f.c; c++ {
			sum[c] = f.finish(sum[c], c)
		}
	}
	return func() { f.eachPixel(begin, do, end) }
}

// depthwiseWide returns depthwiseRows' equal.
func (f *intConv) depthwiseWide() func() {
	whole := f.c &^ 15
	wide := make([]int32, len(f.w))
	for i, w := range f.w {
		wide[i] = int32(w)
	}
	sum, ratios := make([]int32, f.c), f.ratios()
	lo, hi := float32(f.limit.Min), float32(f.limit.Max)
	begin := func(int) { copy(sum, f.bias) }
	do := func(in, w, n int) {
		tapsInt(&sum[0], &f.x[in], &wide[w], n, f.c, whole, f.zeroX)
		for t := range n {
			x, w := f.x[in+t*f.c:][:f.c], wide[w+t*f.c:][:f.c]
			for c := whole; c < f.c; c++ {
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
		for c := done; c < f.c; c++ {
			f.out[out+c] = f.finish(sum[c], c)
		}
	}
	return func() { f.eachPixel(begin, do, end) }
}

// eachPixel goes through the pixels of a depthwise result, each at its place out: begin, then do for every run of n taps
// that are neighbours in memory, with the places of the first in the input and in the weights, then end.
func (g *window) eachPixel(begin func(out int), do func(in, w, n int), end func(out int)) {
	for n := range g.n {
		for y := range g.oh {
			ky0, ky1 := g.taps(0, y)
			for x := range g.ow {
				kx0, kx1 := g.taps(1, x)
				out := g.out0(n, y, x)
				begin(out)
				for ky := ky0; ky < ky1 && kx0 < kx1; ky++ {
					iy, _ := g.at(0, y, ky)
					ix, _ := g.at(1, x, kx0)
					in, w := g.x0(n, iy, ix), (ky*g.kw+kx0)*g.c
					if g.dilation[1] == 1 {
						do(in, w, kx1-kx0)
						continue
					}
					for range kx1 - kx0 {
						do(in, w, 1)
						in, w = in+g.dilation[1]*g.c, w+g.c
					}
				}
				end(out)
			}
		}
	}
}
