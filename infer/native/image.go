//go:build amd64 || arm64

package native

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

// image returns that of f and the operand it makes, or nil if it is too large.
func (c *compiler) image(f *conv, pixel, element int) (m *image, in *operand) {
	m = &image{f: f, pixel: pixel, element: element, every: [2]int{1, 1}, stride: f.Stride}
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
		return nil, nil
	}
	neighbours := 1
	if f.Dilation[1] == 1 && f.Depth == f.C {
		neighbours = f.KW
	}
	row, columns := neighbours*pixel, f.KW/neighbours
	rest := roundUp(row*element, chunk) - row*element // read, but with weights 0
	m.buffer = c.add(&buffer{pixels: f.N * m.h * m.w, size: f.N*m.h*m.w*pixel*element + rest})
	if m.high < m.h || m.wide < m.w {
		m.first, m.last = 0, c.end // the zero points stay
		c.late = append(c.late, m.clear)
	}
	at := func(o, tap int) int32 {
		n, y, x := o/(f.OH*f.OW), o/f.OW%f.OH, o%f.OW
		y = y*m.stride[0] + tap/columns*f.Dilation[0]
		x = x*m.stride[1] + tap%columns*f.Dilation[1]
		return int32(m.offset + ((n*m.h+y)*m.w+x)*pixel*element)
	}
	return m, &operand{
		taps: f.taps() / neighbours, k: row, element: element,
		at: at, weights: f.tapWeights(pixel, neighbours), buffer: m.buffer,
	}
}

// byteImage has rows of the filter as taps, of x's bytes: with x's room for further channels where that is for less than four, since rows are
// then copied whole, else without.
func (c *compiler) byteImage(f *conv) *operand {
	pixel := f.C
	if f.x.stride <= roundUp(f.C, 4) {
		pixel = f.x.stride
	}
	m, in := c.image(f, pixel, 1)
	if in != nil {
		in.fill = alone(m.copy)
	}
	return in
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

// copy fills an image of bytes.
func (m *image) copy() {
	pixel, step := m.pixel, m.every[1]*m.f.x.stride
	for n := range m.f.N {
		for y := range m.high {
			to, from := m.row(n, y)
			out, x := m.data[to:], m.f.x.data[from:]
			if step == pixel {
				copy(out[:m.wide*pixel], x)
				continue
			}
			for i := range m.wide {
				copy(out[i*pixel:][:pixel], x[i*step:])
			}
		}
	}
}
