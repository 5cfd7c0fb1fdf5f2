//go:build !amd64 && !arm64

package native

// There are no kernels but the portable ones for this architecture.

type kernels struct {
	family       Family
	runs, narrow bool
}

var assembler []*kernels

func (*compiler) fastConv(*conv) work                              { return nil }
func (*compiler) fastMean(_ *mean, count int, x, out *buffer) work { return nil }
func (*compiler) fastAdd(_ *adder, a, b, out *buffer) work         { return nil }
func (*compiler) fastMul(_ *multiplier, a, b, out *buffer) work    { return nil }
func (*compiler) fastLookup(_ *[256]byte, x, out *buffer) work     { return nil }
func (*compiler) fastPool(*pooling) work                           { return nil }
