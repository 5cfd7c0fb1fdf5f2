//go:build !amd64

package native

// No kernels but the portable ones for this processor.

func hasVNNI() bool { return false }

func (c *compiler) fastConv(*conv) func()                        { return nil }
func (c *compiler) fastMean(*mean, int, *buffer, *buffer) func() { return nil }
func (c *compiler) fastAdd(_ *adder, a, b, out *buffer) func()   { return nil }
