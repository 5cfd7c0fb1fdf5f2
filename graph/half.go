package graph

import "math"

// Half is a number of IEEE 754's binary16: a sign, 5 bits of exponent, 10 of fraction.
type Half uint16

// MaxHalf is the largest finite Half.
const MaxHalf = 65504

// NewHalf is the Half nearest to x, ties to even. What is beyond MaxHalf by half a step or more becomes infinite.
func NewHalf(x float32) Half {
	b := math.Float32bits(x)
	sign, b := Half(b>>16&0x8000), b&0x7fffffff
	switch {
	case b > 0x7f800000: // NaN
		return sign | 0x7e00
	case b >= 0x47800000: // 2^16 and more
		return sign | 0x7c00
	case b < 0x38800000: // under 2^-14 the step is 2^-24 throughout
		return sign | Half(math.RoundToEven(float64(math.Float32frombits(b))*(1<<24)))
	}
	b -= 112 << 23       // the exponent's other offset
	b += 0xfff + b>>13&1 // half a step, ties to even; a carry goes into the exponent, as it should
	return sign | Half(b>>13)
}

// Float32 is the number, exactly.
func (h Half) Float32() float32 {
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
	x := math.Ldexp(1024+fraction, exponent-25)
	switch {
	case exponent == 0:
		x = math.Ldexp(fraction, -24)
	case exponent == 31 && fraction != 0:
		x = math.NaN()
	case exponent == 31:
		x = math.Inf(1)
	}
	if h&0x8000 != 0 {
		x = -x
	}
	return float32(x)
}
