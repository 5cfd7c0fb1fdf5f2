package native

import "unsafe"

// tapsArgs are those of tapsN: depthwise, any window, N channels at a time.
type tapsArgs struct {
	x       unsafe.Pointer // the arena at the first channel
	table   *int32         // [pixels][groups][4] offsets of the taps' pixels
	panel   *byte          // [N] bias int32, [N] scale float32, [groups][N][4] weights
	out     *byte          // the output at the first channel
	outStep int            // bytes from pixel to pixel
	pixels  int
	groups  int // of four taps
	_       int
	clamp
}

//go:noescape
func taps64(a *tapsArgs)

//go:noescape
func taps32(a *tapsArgs)

//go:noescape
func taps64twice(a *tapsArgs)

//go:noescape
func taps32twice(a *tapsArgs)

// depthwiseTaps returns the calls of a depthwise convolution of any window: one for each 64 channels, and for up to 32 in
// the end one of half that width.
func (c *compiler) depthwiseTaps(f *conv) func() {
	c.pad(f, f.x.stride)
	groups := (f.taps() + 3) / 4
	var calls []call[tapsArgs]
	c.late = append(c.late, func() {
		table := make([]int32, 0, f.pixels()*groups*4)
		for m := range f.pixels() {
			for tap := range groups * 4 {
				tap = min(tap, f.taps()-1) // those beyond have weights 0
				table = append(table, f.locate(f.input(m, tap/f.kw, tap%f.kw)))
			}
		}
		for o := 0; o < f.c; {
			width, kernel := 64, twice(f, taps64, taps64twice)
			if f.c-o <= 32 {
				width, kernel = 32, twice(f, taps32, taps32twice)
			}
			panel := c.tapsPanel(f, o, width)
			size := c.split(f.pixels(), (f.c+63)/64)
			for first := 0; first < f.pixels(); first += size {
				calls = append(calls, call[tapsArgs]{kernel, &tapsArgs{
					x: unsafe.Pointer(&c.arena[o]), table: &table[first*groups*4], panel: &panel[0],
					out: &f.out.data[first*f.out.stride+o], outStep: f.out.stride,
					pixels: min(size, f.pixels()-first), groups: groups, clamp: f.clamp(),
				}})
			}
			o += width
		}
	})
	return share(c, &calls)
}

// tapsPanel packs the weights of so many channels from first: see tapsArgs.panel. Channels are in the order of
// depthwisePanel, in vectors of that many bytes.
func (c *compiler) tapsPanel(f *conv, first, width int) []byte {
	groups := (f.taps() + 3) / 4
	p := c.hooks.memory(width * (f.header() + 4*groups))
	for e := range width {
		v, j, i := e/(width/4), e%(width/4)/4, e%4
		o := first + 16*j + 4*v + i
		if o >= f.c {
			continue
		}
		sum := int32(0)
		for tap := range f.taps() {
			w := f.weights[tap*f.c+o]
			sum += int32(w)
			p[width*(f.header()+tap/4*4)+4*e+tap%4] = byte(w)
		}
		f.describe(p, e, width, o, f.bias[o]-int32(f.inputZero)*sum)
	}
	return p
}
