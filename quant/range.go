package quant

import "math"

// Range is the closed interval of integers an output is clamped to.
type Range struct{ Min, Max int32 }

// Full is the range of an int8 output without a fused activation, Full16 that of an int16 one.
var (
	Full   = Range{Int8Min, Int8Max}
	Full16 = Range{math.MinInt16, math.MaxInt16}
)

// Clamp limits q to the range.
func (r Range) Clamp(q int32) int32 { return min(max(q, r.Min), r.Max) }

// Activation is the range of an int8 output of the given quantization under a fused activation that limits the real
// value to [lo, hi]; infinities leave a side open. The bounds are rounded half away from zero as TFLite does.
func Activation(lo, hi float64, scale float32, zero int32) Range {
	return Full.Within(lo, hi, scale, zero)
}

// Within is what an activation that limits the real value to [lo, hi] leaves of the range: see Activation.
func (r Range) Within(lo, hi float64, scale float32, zero int32) Range {
	if !math.IsInf(lo, -1) {
		r.Min = max(r.Min, Quantize(float32(lo), scale, zero, math.MinInt32, math.MaxInt32))
	}
	if !math.IsInf(hi, 1) {
		r.Max = min(r.Max, Quantize(float32(hi), scale, zero, math.MinInt32, math.MaxInt32))
	}
	return r
}
