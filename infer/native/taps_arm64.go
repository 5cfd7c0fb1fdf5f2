package native

import "unsafe"

// tapsArgs are those of dotTaps16 and longTaps16: depthwise, any window, 16 channels at a time.
type tapsArgs struct {
	x       unsafe.Pointer // the arena at the first channel
	table   *int32         // [pixels][groups] offsets of the pixels of a group's taps
	panel   *byte          // [16] bias int32, [16] scale float32, [groups] weights: see tapsPanel
	out     *byte          // the output at the first channel
	outStep int            // bytes from pixel to pixel
	pixels  int
	groups  int // of four taps, of longTaps16 two
	_       int
	clamp
}

//go:noescape
func dotTaps16(a *tapsArgs)

//go:noescape
func longTaps16(a *tapsArgs)

// depthwiseTaps returns the calls of a depthwise convolution of any window, one for each 16 channels. It is nil where a sum
// of two products may not fit into the 16 bits that the family neon has for it.
func (c *compiler) depthwiseTaps(f *conv) func() {
	kernel, size := dotTaps16, 4
	if c.kernels.family == Neon {
		kernel, size = longTaps16, 2
		if !f.pairsOfTaps(func(t int) int { return t }) {
			return nil
		}
	}
	c.pad(f, f.x.stride)
	groups := (f.taps() + size - 1) / size
	var calls []call[tapsArgs]
	c.late = append(c.late, func() {
		table := make([]int32, 0, f.pixels()*groups*size)
		for m := range f.pixels() {
			for tap := range groups * size {
				tap = min(tap, f.taps()-1) // those beyond have weights 0
				table = append(table, f.locate(f.input(m, tap/f.kw, tap%f.kw)))
			}
		}
		each := c.split(f.pixels(), (f.c+15)/16)
		for o := 0; o < f.c; o += 16 {
			panel := c.tapsPanel(f, o, groups, size)
			for first := 0; first < f.pixels(); first += each {
				calls = append(calls, call[tapsArgs]{kernel, &tapsArgs{
					x: unsafe.Pointer(&c.arena[o]), table: &table[first*groups*size], panel: &panel[0],
					out: &f.out.data[first*f.out.stride+o], outStep: f.out.stride,
					pixels: min(each, f.pixels()-first), groups: groups, clamp: f.clamp(),
				}})
			}
		}
	})
	return share(c, &calls)
}

// tapsPanel packs the weights of 16 channels from first: a group has those of its taps for each channel, [16][4], but in
// the family neon the channels for each tap, [2][16].
func (c *compiler) tapsPanel(f *conv, first, groups, size int) []byte {
	p := c.hooks.memory(16 * (8 + groups*size))
	for e := range min(16, f.c-first) {
		o, sum := first+e, int32(0)
		for tap := range f.taps() {
			w := f.weights[tap*f.c+o]
			sum += int32(w)
			at := tap/size*size*16 + e*size + tap%size
			if c.kernels.family == Neon {
				at = tap*16 + e
			}
			p[16*8+at] = byte(w)
		}
		f.output.put(p, 4*e, 4*(16+e), o, f.bias[o]-f.signedZero()*sum)
	}
	return p
}
