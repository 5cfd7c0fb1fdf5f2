package native

// The 3x3 kernels depthwiseSrowsR: stride S along the rows, 64/R channels of R rows at a time. The panel is that of
// columnPanel.

//go:noescape
func depthwise1rows1(a *depthwiseArgs)

//go:noescape
func depthwise2rows1(a *depthwiseArgs)

//go:noescape
func depthwise1rows2(a *depthwiseArgs)

//go:noescape
func depthwise2rows2(a *depthwiseArgs)

//go:noescape
func depthwise1rows1twice(a *depthwiseArgs)

//go:noescape
func depthwise2rows1twice(a *depthwiseArgs)

//go:noescape
func depthwise1rows2twice(a *depthwiseArgs)

//go:noescape
func depthwise2rows2twice(a *depthwiseArgs)

// depthwiseKernels are by stride - 1 and rows - 1.
var depthwiseKernels = [2][2]func(*depthwiseArgs){
	{depthwise1rows1, depthwise1rows2},
	{depthwise2rows1, depthwise2rows2},
}

// depthwiseTwice are those that round twice.
var depthwiseTwice = [2][2]func(*depthwiseArgs){
	{depthwise1rows1twice, depthwise1rows2twice},
	{depthwise2rows1twice, depthwise2rows2twice},
}

// columnConv returns a 3x3 depthwise convolution by a vector of so many channels, and for up to half of them in the end two
// rows of these in a vector. kernels are by stride - 1 and rows - 1.
func (c *compiler) columnConv(f *conv, width int, kernels [2][2]func(*depthwiseArgs)) work {
	return c.depthwiseCalls(f, func(o, left int) depthwiseKernel {
		rows := 1
		if left <= width/2 {
			rows = 2
		}
		return depthwiseKernel{kernels[f.Stride[1]-1][rows-1], width / rows, rows, c.columnPanel(f, o, width, rows)}
	})
}

// columnPanel packs the weights of width/rows channels from first, once for each row: a column's three and 0 side by side.
func (c *compiler) columnPanel(f *conv, first, width, rows int) []byte {
	channel := func(e int) int { return first + woven(width, e)%(width/rows) }
	return c.depthwisePanel(f, width, 12, 4, channel, func(tap int) int { return tap%3*4 + tap/3 })
}

// woven is the channel, of so many, of element e of four vectors of dwords that unpacking made of a vector of bytes: element
// 4*j + i of vector v is the vector of bytes' element 16*j + 4*v + i.
func woven(width, e int) int {
	v, j, i := e/(width/4), e%(width/4)/4, e%4
	return 16*j + 4*v + i
}

// The kernels tapsN: depthwise, any window, N channels at a time, four taps together.

//go:noescape
func taps64(a *tapsArgs)

//go:noescape
func taps32(a *tapsArgs)

//go:noescape
func taps64twice(a *tapsArgs)

//go:noescape
func taps32twice(a *tapsArgs)

// depthwiseTaps returns a depthwise convolution of any window by 64 channels, and for up to 32 in the end by half that.
func (c *compiler) depthwiseTaps(f *conv) work {
	return c.tapsCalls(f, 4, func(o, left int) tapsKernel {
		kernel, width := twice(f, taps64, taps64twice), 64
		if left <= 32 {
			kernel, width = twice(f, taps32, taps32twice), 32
		}
		channel := func(e int) int { return o + woven(width, e) }
		return tapsKernel{kernel, width, c.depthwisePanel(f, width, roundUp(f.taps(), 4), 4, channel, inOrder)}
	})
}
