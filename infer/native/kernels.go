//go:build amd64 || arm64

package native

// kernels is what a family computes faster than portable Go. Where a field is nil it has no kernel.
type kernels struct {
	family Family
	runs   bool // on this processor
	narrow bool // narrow pixels are taken: see compiler.stride

	conv                 func(*compiler, *conv) work // nil for a convolution that the family has no kernel for
	mean                 func(*meanArgs)
	meanChannels         int // that mean averages at a time
	add                  func(*addArgs)
	mul                  func(*mulArgs)
	lookup               func(*lookupArgs)
	averagePool, maxPool func(*poolArgs)
}

// fastConv returns what computes f, a convolution or fully connected layer, with the family's kernels, or nil. So do the
// functions of other operators whose names begin so. They run when a plan is made; whatever needs the buffers' addresses goes
// into compiler.late.
func (c *compiler) fastConv(f *conv) work {
	if c.kernels.conv == nil {
		return nil
	}
	return c.kernels.conv(c, f)
}
