package interp

import (
	"math"
	"math/bits"

	"mnet-edge/quant"
)

// Fixed-point numbers as TFLite's reference kernels have them: an int32 with f fraction bits. Products and shifts round
// and saturate like gemmlowp's, on which the kernels are built; the constants are its polynomials'.

// shift is round(x * 2^n), saturated, ties away from zero.
func shift(x int32, n int) int32 {
	if n >= 0 {
		return int32(min(max(int64(x)<<n, math.MinInt32), math.MaxInt32))
	}
	half := int64(1) << (-n - 1)
	if x < 0 {
		return int32(-((-int64(x) + half) >> -n))
	}
	return int32((int64(x) + half) >> -n)
}

// expQ26 is exp(a) for a <= 0 with 26 fraction bits; the result has 31. The part of a below 1/4 goes through a Taylor
// polynomial around -1/8, and each bit above multiplies by a constant.
func expQ26(a int32) int32 {
	if a == 0 {
		return math.MaxInt32
	}
	const quarter = 1 << 24
	fraction := a&(quarter-1) - quarter // in [-1/4, 0)
	result := expNear(shift(fraction, 5))
	rest := fraction - a
	for i, factor := range [...]int32{1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242} {
		if rest&(quarter<<i) != 0 { // exp(-2^(i-2))
			result = quant.MulQ31(result, factor)
		}
	}
	return result
}

// expNear is exp(a) for a in [-1/4, 0), both with 31 fraction bits.
func expNear(a int32) int32 {
	const expEighth, third = 1895147668, 715827883
	x := a + 1<<28
	x2 := quant.MulQ31(x, x)
	x3, x4 := quant.MulQ31(x2, x), quant.MulQ31(x2, x2)
	higher := shift(quant.MulQ31(shift(x4, -2)+x3, third)+x2, -1) // x^4/24 + x^3/6 + x^2/2
	return expEighth + quant.MulQ31(expEighth, x+higher)
}

// reciprocal is 2^over / x: x > 0 has 31-integers fraction bits, the result 31. Three steps of Newton's iteration.
func reciprocal(x int32, integers int) (r int32, over int) {
	zeros := bits.LeadingZeros32(uint32(x))
	fraction := int32(uint32(x)<<zeros - 1<<31) // of x scaled into [1, 2)
	half := int32((int64(fraction) + math.MaxInt32 + 1) / 2)
	const c48, c32, one = 1515870810, -1010580540, 1 << 29 // 48/17, -32/17, 1 with 29 fraction bits
	y := c48 + quant.MulQ31(half, c32)
	for range 3 {
		y += shift(quant.MulQ31(y, one-quant.MulQ31(half, y)), 2)
	}
	return shift(y, 1), integers - zeros
}
