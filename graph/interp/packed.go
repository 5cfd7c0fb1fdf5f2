package interp

// Faster kernels, the same bits. A convolution keeps the sums of eight output channels in registers while it walks over
// the taps; its weights are repacked at New so that the walk reads them in order. A float32 sum still has its terms in
// the order of ref, and int32 sums are exact in any order.

// lanes is the number of output channels computed together.
const lanes = 8

// panels calls put for each panel, lane and tap that has a weight: panel p holds the output channels first..first+7 of
// one group, k counts the taps (ky, kx, i), and i is the weight's place in w. It returns the first channel of each panel.
func (g *window) panels(put func(p, lane, k, i int)) (first []int) {
	perGroup, depth := g.PerGroup(), g.KH*g.KW*g.Depth
	for group := 0; group < g.OC; group += perGroup {
		for o := group; o < group+perGroup; o += lanes {
			for lane := range min(lanes, group+perGroup-o) {
				for k := range depth {
					put(len(first), lane, k, (o+lane)*depth+k)
				}
			}
			first = append(first, o)
		}
	}
	return first
}

// panelCount is the number of panels.
func (g *window) panelCount() int {
	return g.C / g.Depth * ((g.PerGroup() + lanes - 1) / lanes)
}

// width is the number of channels of the panel that begins at o.
func (g *window) width(o int) int {
	perGroup := g.PerGroup()
	return min(lanes, perGroup-o%perGroup)
}

// taps is the range of the kernel's taps along axis that meet the data at output position o.
func (g *window) taps(axis, o int) (lo, hi int) {
	taps, size := [2]int{g.KH, g.KW}[axis], [2]int{g.H, g.W}[axis]
	pos, dil := o*g.Stride[axis]-g.Before[axis], g.Dilation[axis]
	if pos < 0 {
		lo = min((-pos+dil-1)/dil, taps)
	}
	hi = taps
	if pos+(taps-1)*dil >= size {
		hi = max((size-pos+dil-1)/dil, lo)
	}
	return lo, hi
}

// runs calls dot for each stretch of memory that the window at (y, x) of image n covers in x, for a filter that sees
// channels from c0: x[in : in+length] goes with the taps k, k+1, ... Stretches come in the order of the taps.
func (g *window) runs(n, y, x, c0 int, dot func(in, length, k int)) {
	ky0, ky1 := g.taps(0, y)
	kx0, kx1 := g.taps(1, x)
	if kx0 == kx1 {
		return
	}
	for ky := ky0; ky < ky1; ky++ {
		iy, _ := g.At(0, y, ky)
		if g.Dilation[1] == 1 && g.Depth == g.C { // neighbouring taps are neighbours in memory
			ix, _ := g.At(1, x, kx0)
			dot(g.x0(n, iy, ix), (kx1-kx0)*g.C, (ky*g.KW+kx0)*g.Depth)
			continue
		}
		for kx := kx0; kx < kx1; kx++ {
			ix, _ := g.At(1, x, kx)
			dot(g.x0(n, iy, ix)+c0, g.Depth, (ky*g.KW+kx)*g.Depth)
		}
	}
}

// packed returns ref's faster equal.
func (f *floatConv) packed() func() {
	depth := f.KH * f.KW * f.Depth
	packed := make([]float32, f.panelCount()*depth*lanes)
	first := f.panels(func(p, lane, k, i int) { packed[(p*depth+k)*lanes+lane] = f.w[i] })
	return func() {
		for p, o := range first {
			panel, width, c0 := packed[p*depth*lanes:(p+1)*depth*lanes], f.width(o), f.Group(o)
			for n := range f.N {
				for y := range f.OH {
					for x := range f.OW {
						var sum [lanes]float32
						f.runs(n, y, x, c0, func(in, length, k int) {
							dotFloat(&sum, f.x[in:in+length], panel[k*lanes:])
						})
						out := f.out[f.out0(n, y, x)+o:]
						for lane := range width {
							out[lane] = f.finish(sum[lane], o+lane)
						}
					}
				}
			}
		}
	}
}

// dotFloat: sum[lane] += x[k] * w[k][lane], k by k.
func dotFloat(sum *[lanes]float32, x, w []float32) {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	s4, s5, s6, s7 := sum[4], sum[5], sum[6], sum[7]
	for _, v := range x {
		r := (*[lanes]float32)(w)
		w = w[lanes:]
		s0 += float32(v * r[0])
		s1 += float32(v * r[1])
		s2 += float32(v * r[2])
		s3 += float32(v * r[3])
		s4 += float32(v * r[4])
		s5 += float32(v * r[5])
		s6 += float32(v * r[6])
		s7 += float32(v * r[7])
	}
	sum[0], sum[1], sum[2], sum[3] = s0, s1, s2, s3
	sum[4], sum[5], sum[6], sum[7] = s4, s5, s6, s7
}

// packed returns ref's faster equal. One 64-bit multiplication serves two output channels: with a + b*2^32 for
// their weights, x*(a + b*2^32) adds x*a to the low and x*b to the high half of a 64-bit sum. The halves interfere only
// by the borrow of a negative low half, which unpair takes back; each fits an int32, as budget has proved.
func (f *intConv) packed() func() {
	depth := f.KH * f.KW * f.Depth
	packed := make([][lanes / 2]int64, f.panelCount()*depth)
	first := f.panels(func(p, lane, k, i int) {
		packed[p*depth+k][lane/2] += int64(f.w[i]) << (lane % 2 * 32)
	})
	return func() {
		for p, o := range first {
			panel, width, c0 := packed[p*depth:(p+1)*depth], f.width(o), f.Group(o)
			for n := range f.N {
				for y := range f.OH {
					for x := range f.OW {
						var sum [lanes / 2]int64
						f.runs(n, y, x, c0, func(in, length, k int) {
							dotInt(&sum, f.x[in:in+length], panel[k:], int64(f.zeroX))
						})
						out := f.out[f.out0(n, y, x)+o:]
						for lane := range width {
							out[lane] = f.finish(f.bias[o+lane]+unpair(sum[lane/2], lane%2), o+lane)
						}
					}
				}
			}
		}
	}
}

// unpair is the low (half 0) or the high (half 1) of the two sums a + b*2^32.
func unpair(sum int64, half int) int32 {
	low := int32(sum)
	if half == 0 {
		return low
	}
	return int32((sum - int64(low)) >> 32)
}

// dotInt: sum[pair] += (x[k] - zero) * w[k][pair].
func dotInt(sum *[lanes / 2]int64, x []int8, w [][lanes / 2]int64, zero int64) {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	w = w[:len(x)]
	for k, q := range x {
		v, r := int64(q)-zero, &w[k]
		s0 += v * r[0]
		s1 += v * r[1]
		s2 += v * r[2]
		s3 += v * r[3]
	}
	sum[0], sum[1], sum[2], sum[3] = s0, s1, s2, s3
}

// depthwiseRows is ref for a multiplier of 1, tap by tap over all channels of a pixel.
func (f *floatConv) depthwiseRows() {
	for n := range f.N {
		for y := range f.OH {
			ky0, ky1 := f.taps(0, y)
			for x := range f.OW {
				kx0, kx1 := f.taps(1, x)
				sum := f.out[f.out0(n, y, x):][:f.C]
				clear(sum)
				for ky := ky0; ky < ky1; ky++ {
					for kx := kx0; kx < kx1; kx++ {
						iy, _ := f.At(0, y, ky)
						ix, _ := f.At(1, x, kx)
						in, w := f.x[f.x0(n, iy, ix):][:len(sum)], f.w[(ky*f.KW+kx)*f.C:][:len(sum)]
						for c := range sum {
							sum[c] += float32(in[c] * w[c])
						}
					}
				}
				for c, s := range sum {
					sum[c] = f.finish(s, c)
				}
			}
		}
	}
}

// depthwiseRows is ref for a multiplier of 1, tap by tap over all channels of a pixel.
func (f *intConv) depthwiseRows() func() {
	sum := make([]int32, f.C)
	return func() {
		for n := range f.N {
			for y := range f.OH {
				ky0, ky1 := f.taps(0, y)
				for x := range f.OW {
					kx0, kx1 := f.taps(1, x)
					copy(sum, f.bias)
					for ky := ky0; ky < ky1; ky++ {
						for kx := kx0; kx < kx1; kx++ {
							iy, _ := f.At(0, y, ky)
							ix, _ := f.At(1, x, kx)
							in, w := f.x[f.x0(n, iy, ix):][:len(sum)], f.w[(ky*f.KW+kx)*f.C:][:len(sum)]
							for c := range sum {
								sum[c] += (int32(in[c]) - f.zeroX) * int32(w[c])
							}
						}
					}
					out := f.out[f.out0(n, y, x):][:f.C]
					for c, s := range sum {
						out[c] = f.finish(s, c)
					}
				}
			}
		}
	}
}
