package native

import "encoding/binary"

// avx2Depthwise1 and 2 are 3x3 kernels of 16 channels of one row at a time, for stride 1 and 2 along the row. The panel
// is [16] bias int32, [16] scale float32 and five pairs [16][2] of weights int16: those of the first two rows, column by
// column, those of the third row's first two columns, and 0 with that of its last.

//go:noescape
func avx2Depthwise1(a *depthwiseArgs)

//go:noescape
func avx2Depthwise2(a *depthwiseArgs)

// avxvnniDepthwiseSrowsR are those of 32/R channels of R rows. The panel is that of columnPanel.

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

// avx2DepthwisePairs is for any window, 16 channels and two taps at a time: the panel is that of pairPanel.
//
//go:noescape
func avx2DepthwisePairs(a *tapsArgs)

func (c *compiler) avx2Depthwise3x3(f *conv) work {
	kernel := avx2Depthwise1
	if f.Stride[1] == 2 {
		kernel = avx2Depthwise2
	}
	pairs := [][2]int{{0, 3}, {1, 4}, {2, 5}, {6, 7}, {-1, 8}}
	return c.depthwiseCalls(f, func(o, _ int) depthwiseKernel {
		return depthwiseKernel{kernel, 16, 1, c.pairPanel(f, o, pairs)}
	})
}

// depthwisePairs returns a depthwise convolution of any window.
func (c *compiler) depthwisePairs(f *conv) work {
	var pairs [][2]int
	for t := 0; t < f.taps(); t += 2 {
		pairs = append(pairs, [2]int{t, t + 1})
	}
	if f.taps()%2 == 1 {
		pairs[len(pairs)-1][1] = -1
	}
	return c.tapsCalls(f, 2, func(o, _ int) tapsKernel {
		return tapsKernel{avx2DepthwisePairs, 16, c.pairPanel(f, o, pairs)}
	})
}

// pairPanel packs the weights of 16 channels from first as pairs of taps, -1 being none. Unpacking words leaves channels
// 0-3 and 8-11 in one register, the others in a second.
func (c *compiler) pairPanel(f *conv, first int, pairs [][2]int) []byte {
	p := c.hooks.memory(16 * (4 + 4 + 4*len(pairs)))
	for e := range 16 {
		o := first + e%4 + e%8/4*8 + e/8*4
		if o >= f.C {
			continue
		}
		for i, pair := range pairs {
			for j, t := range pair {
				if t < 0 {
					continue
				}
				w := f.weights[t*f.C+o]
				binary.LittleEndian.PutUint16(p[128+64*i+4*e+2*j:], uint16(int16(w)))
			}
		}
		f.describe(p, e, 16, o)
	}
	return p
}
