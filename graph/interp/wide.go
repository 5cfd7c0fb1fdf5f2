package interp

// Kernels for processors with wide registers, the same bits: a register holds the sums of one panel's eight channels,
// and four panels are walked at once. A lane of a register sees the float32 operations that dotFloat has for its
// channel, in the same order, each rounded on its own; int32 sums are exact in any order.

// block is the number of panels computed together.
const block = 4

// blocks is the number of panels, filled up with empty ones to whole blocks.
func (g *window) blocks() int { return (g.panelCount() + block - 1) / block }

// wide returns convRef's equal for a convolution without groups.
func (f *floatConv) wide() func() {
	depth := f.kh * f.kw * f.depth
	packed := make([]float32, f.blocks()*block*depth*lanes)
	f.panels(func(p, lane, k, i int) { packed[(p*depth+k)*lanes+lane] = f.w[i] })
	return func() {
		for b := range f.blocks() {
			panels, first := packed[b*block*depth*lanes:], b*block*lanes
			width := min(block*lanes, f.oc-first)
			for n := range f.n {
				for y := range f.oh {
					for x := range f.ow {
						var sum [block * lanes]float32
						f.runs(n, y, x, 0, func(in, length, k int) {
							dotFloatWide(&sum, &f.x[in], length, &panels[k*lanes], depth*lanes*4)
						})
						out := f.out[f.out0(n, y, x)+first:]
						for lane := range width {
							out[lane] = f.finish(sum[lane], first+lane)
						}
					}
				}
			}
		}
	}
}

// wide returns convRef's equal for a convolution without groups and an even number of channels: a 32-bit lane takes the
// products of two neighbouring taps at once. Inputs less the zero point are within ±255, so that both fit.
func (f *intConv) wide() func() {
	depth := f.kh * f.kw * f.depth
	packed := make([]int16, f.blocks()*block*depth*lanes)
	f.panels(func(p, lane, k, i int) { packed[(p*depth+k&^1)*lanes+2*lane+k&1] = int16(f.w[i]) })
	centred := make([]int16, len(f.x))
	return func() {
		for i, q := range f.x {
			centred[i] = int16(int32(q) - f.zeroX)
		}
		for b := range f.blocks() {
			panels, first := packed[b*block*depth*lanes:], b*block*lanes
			width := min(block*lanes, f.oc-first)
			for n := range f.n {
				for y := range f.oh {
					for x := range f.ow {
						var sum [block * lanes]int32
						copy(sum[:], f.bias[first:first+width])
						f.runs(n, y, x, 0, func(in, length, k int) {
							dotIntWide(&sum, &centred[in], length/2, &panels[k*lanes], depth*lanes*2)
						})
						out := f.out[f.out0(n, y, x)+first:]
						for lane := range width {
							out[lane] = f.finish(sum[lane], first+lane)
						}
					}
				}
			}
		}
	}
}
