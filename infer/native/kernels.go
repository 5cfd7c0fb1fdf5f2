package native

// kernels is what a family computes faster than portable Go; a field that is nil, or a function that returns nil, has no kernel for it. The
// functions run once, when a plan is made, and return the work of each run; whatever needs the buffers' addresses goes into compiler.late.
type kernels struct {
	family Family
	runs   func() bool // on this processor

	// Convolutions and fully connected layers.
	conv func(*compiler, *conv) work
	// The mean of each count pixels in a row of x.
	mean func(c *compiler, m *mean, count int, x, out *buffer) work
	// Sums and products of tensors that lie alike.
	add func(c *compiler, f *adder, a, b, out *buffer) work
	mul func(c *compiler, f *multiplier, a, b, out *buffer) work
	// A function of each byte; x and out lie alike.
	lookup  func(c *compiler, table *[256]byte, x, out *buffer) work
	pooling func(*compiler, *pooling) work

	narrow bool // its kernels take narrow pixels: see compiler.stride
}

// fastConv returns what computes f with the family's kernels, or nil. So do the functions below.
func (c *compiler) fastConv(f *conv) work {
	if c.kernels.conv == nil {
		return nil
	}
	return c.kernels.conv(c, f)
}

func (c *compiler) fastMean(m *mean, count int, x, out *buffer) work {
	if c.kernels.mean == nil {
		return nil
	}
	return c.kernels.mean(c, m, count, x, out)
}

func (c *compiler) fastAdd(f *adder, a, b, out *buffer) work {
	if c.kernels.add == nil {
		return nil
	}
	return c.kernels.add(c, f, a, b, out)
}

func (c *compiler) fastMul(f *multiplier, a, b, out *buffer) work {
	if c.kernels.mul == nil {
		return nil
	}
	return c.kernels.mul(c, f, a, b, out)
}

func (c *compiler) fastLookup(table *[256]byte, x, out *buffer) work {
	if c.kernels.lookup == nil || x.pixels != out.pixels || x.stride != out.stride {
		return nil
	}
	return c.kernels.lookup(c, table, x, out)
}

func (c *compiler) fastPool(p *pooling) work {
	if c.kernels.pooling == nil {
		return nil
	}
	return c.kernels.pooling(c, p)
}
