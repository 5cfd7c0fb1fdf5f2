package native

// dotTaps16 and longTaps16: depthwise, any window, 16 channels at a time, four or two taps together.

//go:noescape
func dotTaps16(a *tapsArgs)

//go:noescape
func longTaps16(a *tapsArgs)

// depthwiseTaps returns a depthwise convolution of any window. It is nil where a sum of two products may not fit into the 16
// bits that the family neon has for it.
func (c *compiler) depthwiseTaps(f *conv) work {
	kernel, together := dotTaps16, 4
	if c.kernels.family == Neon {
		kernel, together = longTaps16, 2
		if !f.pairsOfTaps(func(t int) int { return t }) {
			return nil
		}
	}
	return c.tapsCalls(f, together, func(o, _ int) tapsKernel {
		return tapsKernel{kernel, 16, c.tapsPanel(f, o, together)}
	})
}

// tapsPanel packs the weights of 16 channels from first: [16] biases and scales, then for each group of taps theirs for
// each channel, [16][4], but in the family neon the channels for each tap, [2][16].
func (c *compiler) tapsPanel(f *conv, first, together int) []byte {
	p := c.hooks.memory(16 * (8 + roundUp(f.taps(), together)))
	for e := range min(16, f.C-first) {
		o := first + e
		for tap := range f.taps() {
			w := f.weights[tap*f.C+o]
			at := tap/together*together*16 + e*together + tap%together
			if c.kernels.family == Neon {
				at = tap*16 + e
			}
			p[16*8+at] = byte(w)
		}
		f.describe(p, e, 16, o)
	}
	return p
}
