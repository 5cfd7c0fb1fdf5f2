package native

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
		if left <= 32 {
			return tapsKernel{twice(f, taps32, taps32twice), 32, c.tapsPanel(f, o, 32)}
		}
		return tapsKernel{twice(f, taps64, taps64twice), 64, c.tapsPanel(f, o, 64)}
	})
}

// tapsPanel packs the weights of width channels from first: [width] biases and scales, [groups][width][4] weights, in the
// order of columnPanel.
func (c *compiler) tapsPanel(f *conv, first, width int) []byte {
	groups := (f.taps() + 3) / 4
	p := c.hooks.memory(width * (f.header() + 4*groups))
	for e := range width {
		o := first + woven(width, e)
		if o >= f.C {
			continue
		}
		for tap := range f.taps() {
			w := f.weights[tap*f.C+o]
			p[width*(f.header()+tap/4*4)+4*e+tap%4] = byte(w)
		}
		f.describe(p, e, width, o)
	}
	return p
}
