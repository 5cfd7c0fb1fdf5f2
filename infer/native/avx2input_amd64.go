package native

// operand is the input of a convolution as a matrix product reads it: taps, of each of which k elements lie side by side.
type operand struct {
	taps, k int
	at      func(m, tap int) int32   // where in the arena those of output pixel m begin, known late
	weight  func(o, tap, i int) int8 // what element i of a tap is multiplied by for output channel o
	buffer  *buffer                  // where they are
	fill    work                     // puts them there; nil if they are
}

// A step of a kernel takes four bytes of a tap. Those beyond the last channel meet weights 0.
const productStep = 4

// widenStep is what the elements of a pixel are a multiple of if kernels fill it.
const widenStep = 8

// pixelTaps has the pixels of x as taps.
func (c *compiler) pixelTaps(f *conv) operand {
	k := roundUp(f.C, widenStep)
	c.pad(f, k)
	return operand{
		taps: f.taps(), k: k,
		at:     func(m, tap int) int32 { return f.locate(f.input(m, tap/f.KW, tap%f.KW)) },
		weight: f.tapWeight(k, 1), buffer: f.x,
	}
}

// tapWeight is operand.weight if a tap is so many neighbours of the filter, each of so many elements.
func (f *conv) tapWeight(pixel, neighbours int) func(o, tap, i int) int8 {
	return func(o, tap, i int) int8 {
		at, ch := i/pixel, i%pixel-f.Group(o)
		if at >= neighbours || ch < 0 || ch >= f.Depth {
			return 0
		}
		return f.weights[(o*f.taps()+tap*neighbours+at)*f.Depth+ch]
	}
}

// image is x within the zero points that the windows see around it, so that a row of the filter meets neighbours. Of a
// 1x1 convolution, it is what the windows see, one pixel for each.
type image struct {
	*buffer
	f              *conv
	h, w           int
	top, left      int    // where x begins
	high, wide     int    // how much of x there is
	every, stride  [2]int // of which pixel of x it has one, and by what the windows move
	pixel, element int    // elements of a pixel, bytes of an element
}

// image returns that of f, ok if it can be had, and the operand it makes.
func (c *compiler) image(f *conv, pixel, element int) (m image, in operand, ok bool) {
	m = image{f: f, pixel: pixel, element: element, every: [2]int{1, 1}, stride: f.Stride}
	if f.taps() == 1 && !f.outside() {
		m.h, m.w, m.every, m.stride = f.OH, f.OW, f.Stride, [2]int{1, 1}
		m.high, m.wide = f.OH, f.OW
	} else {
		m.h = (f.OH-1)*f.Stride[0] + (f.KH-1)*f.Dilation[0] + 1
		m.w = (f.OW-1)*f.Stride[1] + (f.KW-1)*f.Dilation[1] + 1
		m.top, m.left = f.Before[0], f.Before[1]
		m.high, m.wide = min(f.H, m.h-m.top), min(f.W, m.w-m.left)
		if m.wide < 1 || m.high < 1 { // the windows see padding only
			m.high = 0
		}
	}
	if m.h > maxArena/m.w || m.h*m.w > maxArena/(f.N*pixel*element) {
		return m, in, false
	}
	neighbours := 1
	if f.Dilation[1] == 1 && f.Depth == f.C {
		neighbours = f.KW
	}
	in = operand{
		taps: f.taps() / neighbours, k: roundUp(neighbours*pixel, productStep/element),
		weight: f.tapWeight(pixel, neighbours),
	}
	columns := f.KW / neighbours
	in.at = func(o, tap int) int32 {
		n, y, x := o/(f.OH*f.OW), o/f.OW%f.OH, o%f.OW
		y = y*m.stride[0] + tap/columns*f.Dilation[0]
		x = x*m.stride[1] + tap%columns*f.Dilation[1]
		return int32(m.offset + ((n*m.h+y)*m.w+x)*pixel*element)
	}
	m.buffer = c.add(&buffer{pixels: f.N * m.h * m.w, size: (f.N*m.h*m.w*pixel + in.k - neighbours*pixel) * element})
	if m.high < m.h || m.wide < m.w {
		m.first, m.last = 0, c.end // the zero points stay
		c.late = append(c.late, m.clear)
	}
	in.buffer = m.buffer
	return m, in, true
}

// clear makes all elements zero points.
func (m *image) clear() {
	for i := range m.data {
		m.data[i] = 0
		if i%m.element == 0 {
			m.data[i] = m.f.inputZero
		}
	}
}

// row is where row y of image n has what it has of x, and where that is in x.
func (m *image) row(n, y int) (to, from int) {
	to = ((n*m.h+m.top+y)*m.w + m.left) * m.pixel * m.element
	from = (n*m.f.H + y*m.every[0]) * m.f.W * m.f.x.stride
	return to, from
}

// byteImage has rows of the filter as taps, of x's bytes without room for further channels.
func (c *compiler) byteImage(f *conv) (operand, bool) {
	m, in, ok := c.image(f, f.C, 1)
	in.fill = alone(m.copy)
	return in, ok
}

func (m *image) copy() {
	for n := range m.f.N {
		for y := range m.high {
			to, from := m.row(n, y)
			out, x := m.data[to:], m.f.x.data[from:]
			if m.f.x.stride == m.pixel && m.every[1] == 1 {
				copy(out[:m.wide*m.pixel], x)
				continue
			}
			for i := range m.wide {
				copy(out[i*m.pixel:][:m.pixel], x[i*m.every[1]*m.f.x.stride:])
			}
		}
	}
}

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
func (c *compiler) wordImage(f *conv) (operand, bool) {
	if f.C < widenStep { // all of a byteImage
		m, in, ok := c.image(f, f.C, 1)
		if !ok {
			return in, false
		}
		m.buffer.size = roundUp(m.buffer.size, 16)
		words := c.add(&buffer{pixels: m.pixels, size: 2 * m.buffer.size})
		bytes := in.at
		in.at = func(o, tap int) int32 { return int32(words.offset) + 2*(bytes(o, tap)-int32(m.offset)) }
		in.buffer, in.fill = words, alone(func() {
			m.copy()
			widen16(&widenArgs{x: &m.data[0], out: &words.data[0], pixels: 1, blocks: m.buffer.size / 16})
		})
		return in, true
	}
	m, in, ok := c.image(f, roundUp(f.C, widenStep), 2)
	if !ok || m.high == 0 {
		return in, ok
	}
	in.fill = m.widen(c)
	return in, true
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
