package native

// The input of the family avx2, which multiplies int16.

// widenStep is what the elements of a pixel are a multiple of if kernels fill it.
const widenStep = 8

// widenArgs are those of widen8 and widen16: bytes to int16, eight or sixteen at a time.
type widenArgs struct {
	x, out          *byte
	inStep, outStep int // bytes from pixel to pixel
	pixels, blocks  int // blocks a pixel
}

//go:noescape
func widen8(a *widenArgs)

//go:noescape
func widen16(a *widenArgs)

// wordImage has rows of the filter as taps, of int16.
func (c *compiler) wordImage(f *conv) *operand {
	if f.C >= widenStep {
		m, in := c.image(f, roundUp(f.C, widenStep), 2)
		if in != nil && m.high > 0 {
			in.fill = m.widen(c)
		}
		return in
	}
	m, in := c.image(f, f.C, 1) // first as bytes, all of which are then widened
	if in == nil {
		return nil
	}
	m.size = roundUp(m.size, 16)
	words := c.add(&buffer{pixels: m.pixels, size: 2 * m.size})
	bytes := in.at
	in.element, in.buffer = 2, words
	in.at = func(o, tap int) int32 { return int32(words.offset) + 2*(bytes(o, tap)-int32(m.offset)) }
	in.fill = alone(func() {
		m.copy()
		widen16(&widenArgs{x: &m.data[0], out: &words.data[0], pixels: 1, blocks: m.size / 16})
	})
	return in
}

// widen returns the calls that fill the image.
func (m *image) widen(c *compiler) work {
	kernel, step := widen8, 8
	if m.pixel%16 == 0 {
		kernel, step = widen16, 16
	}
	calls := newCalls[widenArgs](c)
	add := func(thread, to, from, pixels int) {
		a := widenArgs{
			x: &m.f.x.data[from], out: &m.data[to],
			inStep: m.every[1] * m.f.x.stride, outStep: 2 * m.pixel,
			pixels: pixels, blocks: m.pixel / step,
		}
		if a.inStep == m.pixel { // one pixel after the other
			a.pixels, a.blocks = 1, pixels*a.blocks
		}
		calls.add(thread, kernel, a)
	}
	m.cut = cut{c.lines(m.f.N*m.high, m.w), []int{0, m.f.C}}
	if m.every == [2]int{1, 1} && m.h == m.f.H && m.w == m.f.W && m.high == m.h && m.wide == m.w {
		c.late = append(c.late, func() {
			for thread, pixels := range spans(m.cut.pixels) {
				add(thread, pixels.first*2*m.pixel, pixels.first*m.f.x.stride, pixels.last-pixels.first)
			}
		})
		return share(calls, m.buffer, access{m.f.x, m.cut})
	}
	c.late = append(c.late, func() {
		for thread, rows := range spans(c.even(m.f.N*m.high, 1)) {
			for r := rows.first; r < rows.last; r++ {
				to, from := m.row(r/m.high, r%m.high)
				add(thread, to, from, m.wide)
			}
		}
	})
	return share(calls, m.buffer, access{buffer: m.f.x})
}
