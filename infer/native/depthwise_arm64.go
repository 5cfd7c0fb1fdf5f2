package native

import "math"

// The 3x3 kernels FDepthwiseSxC: stride S along the rows, C channels of a row at a time. The panel is that of
// depthwisePanel.

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

// depthwise3x3 returns a 3x3 depthwise convolution by 16 channels, and for up to 8 in the end by 8. It is nil where a sum
// of two products may not fit into the 16 bits that the family neon has for it.
func (c *compiler) depthwise3x3(f *conv) work {
	if c.kernels.family == Neon && !f.pairsOfTaps(func(t int) int { return t%3*3 + t/3 }) {
		return nil
	}
	return c.depthwiseCalls(f, func(o, left int) depthwiseKernel {
		wide := 1
		if left <= 8 {
			wide = 0
		}
		kernel, channels := depthwiseKernels[c.kernels.family][f.Stride[1]-1][wide], 8<<wide
		return depthwiseKernel{kernel, channels, 1, c.depthwisePanel(f, o, channels)}
	})
}

// depthwisePanel packs the weights of some channels from first: [channels] biases and scales, then the weights, column by
// column. The family dotprod has the three of a column and a 0 for each channel, [3][channels][4]; the family neon the
// channels for each, [3][3][channels].
func (c *compiler) depthwisePanel(f *conv, first, channels int) []byte {
	p := c.hooks.memory(channels * (4 + 4 + 3*4))
	for e := range min(channels, f.C-first) {
		o := first + e
		for kx := range 3 {
			for ky := range 3 {
				w := f.weights[(3*ky+kx)*f.C+o]
				at := 4*(kx*channels+e) + ky
				if c.kernels.family == Neon {
					at = (3*kx+ky)*channels + e
				}
				p[8*channels+at] = byte(w)
			}
		}
		f.describe(p, e, channels, o)
	}
	return p
}

// pairsOfTaps is pairs for depthwise convolutions: taps are taken in pairs, in an order.
func (f *conv) pairsOfTaps(order func(t int) int) bool {
	for t := 0; t+1 < f.taps(); t += 2 {
		for o := range f.C {
			if f.weights[order(t)*f.C+o] == math.MinInt8 && f.weights[order(t+1)*f.C+o] == math.MinInt8 {
				return false
			}
		}
	}
	return true
}
