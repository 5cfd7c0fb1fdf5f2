package native

import "math"

// The 3x3 kernels FDepthwiseSxC: stride S along the rows, C channels of a row at a time. How
// weights lie is said at depthwise3x3.

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

// depthwise3x3 returns a 3x3 depthwise convolution by 16 channels, and for up to 8 in the end by 8. Weights lie column by
// column: in the family dotprod a channel's three and a 0 side by side, in the family neon the channels of each. It is nil
// where a sum of two products may not fit into the 16 bits that neon has for it.
func (c *compiler) depthwise3x3(f *conv) work {
	column, together := 4, 4
	place := func(tap int) int { return tap%3*column + tap/3 } // of neon, also the tap at a place
	if c.kernels.family == Neon {
		column, together = 3, 1
		if !f.pairsOfTaps(place) {
			return nil
		}
	}
	return c.depthwiseCalls(f, func(o, left int) depthwiseKernel {
		wide := 1
		if left <= 8 {
			wide = 0
		}
		kernel, channels := depthwiseKernels[c.kernels.family][f.Stride[1]-1][wide], 8<<wide
		channel := func(e int) int { return o + e }
		return depthwiseKernel{kernel, channels, 1, c.depthwisePanel(f, channels, 12, together, channel, place)}
	})
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

// dotTaps16 and longTaps16: depthwise, any window, 16 channels at a time, four or two taps together.

//go:noescape
func dotTaps16(a *tapsArgs)

//go:noescape
func longTaps16(a *tapsArgs)

// depthwiseTaps returns a depthwise convolution of any window. It is nil where a sum of two products may not fit into the 16
// bits that the family neon has for it. The family dotprod has the taps that it takes together side by side, neon the channels
// of each tap.
func (c *compiler) depthwiseTaps(f *conv) work {
	kernel, taps, together := dotTaps16, 4, 4
	if c.kernels.family == Neon {
		kernel, taps, together = longTaps16, 2, 1
		if !f.pairsOfTaps(inOrder) {
			return nil
		}
	}
	return c.tapsCalls(f, taps, func(o, _ int) tapsKernel {
		channel := func(e int) int { return o + e }
		return tapsKernel{kernel, 16, c.depthwisePanel(f, 16, roundUp(f.taps(), taps), together, channel, inOrder)}
	})
}
