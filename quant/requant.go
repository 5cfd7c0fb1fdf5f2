package quant

import (
	"fmt"
	"math"
)

// Multiplier is the real number M * 2^(Shift-31), with 0 <= M < 2^31; in one that NewMultiplier made M is 0, or at least 2^30. A
// requantization multiplies by it in integers.
type Multiplier struct {
	M     int32
	Shift int
}

// NewMultiplier is the Multiplier nearest to d >= 0. Numbers below 2^-32 become 0, infinity 2^1024.
func NewMultiplier(d float64) Multiplier {
	if d == 0 {
		return Multiplier{}
	}
	f, shift := math.Frexp(min(d, math.MaxFloat64))
	m := int64(math.Round(f * (1 << 31)))
	if m == 1<<31 {
		m, shift = m/2, shift+1
	}
	if shift < -31 {
		return Multiplier{}
	}
	return Multiplier{M: int32(m), Shift: shift}
}

// Real is the number the multiplier stands for.
func (m Multiplier) Real() float64 { return math.Ldexp(float64(m.M), m.Shift-31) }

// Apply64 is x * m with the mantissa cut to 15 bits, rounded half up: what becomes of the 64-bit accumulators of int16 activations, in every
// runtime. x is within 2^47. What does not fit is saturated; TFLite leaves it undefined.
func (m Multiplier) Apply64(x int64) int32 {
	const most = 0x7fff
	reduced := int64(most)
	if m.M < most<<16 {
		reduced = int64(m.M+1<<15) >> 16
	}
	t := 15 - m.Shift
	if t < 1 {
		y := saturateInt(x * reduced)
		return saturateInt(int64(y) << min(-t, 31))
	}
	return saturateInt((x*reduced + 1<<(t-1)) >> t)
}

// Rounding names one of the ways in which runtimes round accumulator * multiplier to an integer. Any two differ by at
// most 1, and rarely; the same bits need the same Rounding.
type Rounding uint8

const (
	// Double rounds the high half of the product, then the shift, ties away from zero. TFLite's reference kernels and
	// TFLite Micro: gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT.
	Double Rounding = iota
	// DoubleUp rounds twice, ties upward. ruy's AVX2 and AVX-512 kernels; NEON's vqrdmulh and vrshl.
	DoubleUp
	// Single rounds once, ties upward. Builds with TFLITE_SINGLE_ROUNDING; ruy's portable path.
	Single
	// Float32 multiplies in float32 and rounds half to even. XNNPACK.
	Float32
)

var roundingNames = [...]string{Double: "double", DoubleUp: "double-up", Single: "single", Float32: "float32"}

func (r Rounding) String() string {
	if int(r) < len(roundingNames) {
		return roundingNames[r]
	}
	return fmt.Sprintf("Rounding(%d)", uint8(r))
}

// Apply is x * m, rounded as r does and saturated to int32. For Float32 the factor is m's value in float32, which is
// what XNNPACK has only if it started from the same number: see Requant for the exact rule.
func (r Rounding) Apply(x int32, m Multiplier) int32 {
	left, right := max(m.Shift, 0), max(-m.Shift, 0)
	switch r {
	case Double:
		return roundingDivideByPOT(MulQ31(shiftLeft(x, left), m.M), right)
	case DoubleUp:
		y := saturateInt((int64(shiftLeft(x, left))*int64(m.M) + 1<<30) >> 31)
		if right == 0 {
			return y
		}
		return int32((int64(y) + 1<<(right-1)) >> right)
	case Single:
		t := 31 - m.Shift
		if t < 1 {
			return saturateInt(int64(x) * int64(m.M))
		}
		// |x * m| < 2^62, so adding half of a 2^t up to 2^62 stays within int64.
		return saturateInt((int64(x)*int64(m.M) + 1<<(t-1)) >> t)
	default:
		return roundFloat32(x, finite(float32(m.Real())))
	}
}

// Requant turns the int32 accumulator of one output channel into the output's integer, less its zero point.
type Requant struct {
	rounding Rounding
	mult     Multiplier
	ratio    float32
}

// ConvMultiplier is the factor of ConvRequant in the fixed-point kinds of rounding.
func ConvMultiplier(in, weight, out float32) Multiplier {
	return NewMultiplier(float64(in) * float64(weight) / float64(out))
}

// ConvRequant is the requantization of a convolution's channel (or of a per-channel fully connected layer): the scale
// product is taken in float64 by the fixed-point kinds of rounding, from left to right in float32 by Float32.
func ConvRequant(r Rounding, in, weight, out float32) Requant {
	return Requant{r, ConvMultiplier(in, weight, out), finite(float32(in*weight) / out)}
}

// FullyConnectedRequant is that of a per-tensor fully connected layer, whose scale product TFLite takes in float32.
func FullyConnectedRequant(r Rounding, in, weight, out float32) Requant {
	product := float32(in * weight)
	return Requant{r, NewMultiplier(float64(product) / float64(out)), finite(product / out)}
}

// Rescale is the requantization from one scale to another, as in QUANTIZE of an integer tensor.
func Rescale(r Rounding, in, out float32) Requant {
	return Requant{r, NewMultiplier(float64(in) / float64(out)), finite(in / out)}
}

// finite keeps a ratio of scales from being infinite, by which 0 would have no product.
func finite(ratio float32) float32 { return min(ratio, math.MaxFloat32) }

// ActivationRequant is that of an activation that stands alone, whose ratio of scales TFLite takes in float32.
func ActivationRequant(r Rounding, in, out float32) Requant { return Rescale(r, float32(in/out), 1) }

// Apply requantizes one accumulator.
func (q Requant) Apply(acc int32) int32 {
	if q.rounding == Float32 {
		return roundFloat32(acc, q.ratio)
	}
	return q.rounding.Apply(acc, q.mult)
}

// Multiplier is the fixed-point factor.
func (q Requant) Multiplier() Multiplier { return q.mult }

// Ratio is the float32 factor.
func (q Requant) Ratio() float32 { return q.ratio }

// roundFloat32 converts, multiplies and rounds half to even, each exactly once.
func roundFloat32(x int32, ratio float32) int32 {
	return saturate(math.RoundToEven(float64(float32(float32(x) * ratio))))
}

// MulQ31 is round(a * b / 2^31), ties away from zero; the one overflow, min * min, saturates. It is gemmlowp's
// SaturatingRoundingDoublingHighMul and NEON's SQRDMULH but for negative ties.
func MulQ31(a, b int32) int32 {
	if a == math.MinInt32 && b == math.MinInt32 {
		return math.MaxInt32
	}
	p := int64(a) * int64(b)
	nudge := int64(1 << 30)
	if p < 0 {
		nudge = 1 - 1<<30
	}
	return int32((p + nudge) / (1 << 31)) // Go's division truncates toward zero, as needed
}

// roundingDivideByPOT is round(x / 2^e), ties away from zero, 0 <= e <= 31.
func roundingDivideByPOT(x int32, e int) int32 {
	mask := int32(int64(1)<<e - 1)
	rest, threshold := x&mask, mask>>1
	if x < 0 {
		threshold++
	}
	y := x >> e
	if rest > threshold {
		y++
	}
	return y
}

// shiftLeft is x * 2^n with int32's wrap-around. TFLite leaves the overflow undefined; a model whose scales are sound
// never meets it.
func shiftLeft(x int32, n int) int32 { return x << n }

func saturateInt(x int64) int32 { return int32(min(max(x, math.MinInt32), math.MaxInt32)) }
