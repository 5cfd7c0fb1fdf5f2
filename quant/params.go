package quant

import (
	"fmt"
	"math"
	"slices"
)

// The range of an int8 value, and the end of the narrow one that weights are kept to, so that a channel and its negative are both exact.
const (
	Int8Min       = -128
	Int8Max       = 127
	Int8NarrowMin = -127
)

// MinScale is the smallest scale that Symmetric gives: XNNPACK refuses scales that are zero or subnormal, and a channel of zeros
// needs some scale.
const MinScale = 1e-9

// Params is an affine quantization: real = Scale[c] * (q - Zero[c]). One element is per tensor; more are per channel,
// c being the index along Axis.
type Params struct {
	Scale []float32 // normal and > 0
	Zero  []int32   // as many as Scale; within the stored type
	Axis  int       // meaningful when len(Scale) > 1
}

// PerTensor is the quantization with one scale and zero point.
func PerTensor(scale float32, zero int32) *Params {
	return &Params{Scale: []float32{scale}, Zero: []int32{zero}}
}

// PerChannel is the symmetric quantization (zero points 0) with a scale for each index along axis.
func PerChannel(scale []float32, axis int) *Params {
	return &Params{Scale: scale, Zero: make([]int32, len(scale)), Axis: axis}
}

// At returns scale and zero point of channel c; a per-tensor Params has one answer for all c.
func (p *Params) At(c int) (scale float32, zero int32) {
	if len(p.Scale) == 1 {
		c = 0
	}
	return p.Scale[c], p.Zero[c]
}

// Equal reports whether p and q are the same quantization; two nils are.
func (p *Params) Equal(q *Params) bool {
	if p == nil || q == nil {
		return p == q
	}
	return slices.Equal(p.Scale, q.Scale) && slices.Equal(p.Zero, q.Zero) && (len(p.Scale) == 1 || p.Axis == q.Axis)
}

// Check reports a Params that no runtime would take for a tensor of this shape whose integers lie in [qmin, qmax].
func (p *Params) Check(shape []int, qmin, qmax int32) error {
	if len(p.Scale) == 0 || len(p.Scale) != len(p.Zero) {
		return fmt.Errorf("quant: %d scales and %d zero points", len(p.Scale), len(p.Zero))
	}
	if len(p.Scale) > 1 && (p.Axis < 0 || p.Axis >= len(shape) || shape[p.Axis] != len(p.Scale)) {
		return fmt.Errorf("quant: %d scales along axis %d of shape %v", len(p.Scale), p.Axis, shape)
	}
	for c, s := range p.Scale {
		if !normal(s) || s < 0 {
			return fmt.Errorf("quant: scale %v of channel %d is not a normal number above 0", s, c)
		}
		if z := p.Zero[c]; z < qmin || z > qmax {
			return fmt.Errorf("quant: zero point %d of channel %d outside [%d, %d]", z, c, qmin, qmax)
		}
	}
	return nil
}

func normal(s float32) bool {
	exp := math.Float32bits(s) >> 23 & 0xff
	return exp != 0 && exp != 0xff
}

// Asymmetric maps the real interval [lo, hi], widened to hold 0, onto the integers [qmin, qmax]. Real 0 falls on the
// zero point exactly. All arithmetic is float32, as TensorFlow's converter has it. An empty interval gets scale 1.
func Asymmetric(lo, hi float32, qmin, qmax int32) (scale float32, zero int32) {
	lo, hi = min(lo, 0), max(hi, 0)
	scale = (hi - lo) / float32(qmax-qmin)
	if !normal(scale) {
		return 1, qmin
	}
	z := roundAway(float32(qmin) - float32(lo/scale))
	return scale, min(max(z, qmin), qmax)
}

// Symmetric is the scale that maps [-absMax, absMax] onto the integers [-qmax, qmax], at least MinScale.
func Symmetric(absMax float32, qmax int32) float32 {
	return max(absMax/float32(qmax), MinScale)
}

// Quantize is the integer nearest to real x, ties away from zero, clamped to [qmin, qmax]. NaN gives the zero point.
func Quantize(x, scale float32, zero, qmin, qmax int32) int32 {
	y := float64(float32(x / scale))
	if math.IsNaN(y) {
		return zero
	}
	return int32(min(max(math.Round(y)+float64(zero), float64(qmin)), float64(qmax)))
}

// Dequantize is the real number that q stands for.
func Dequantize(q int32, scale float32, zero int32) float32 {
	return float32(scale * float32(q-zero))
}

// roundAway rounds half away from zero and saturates at int32.
func roundAway(x float32) int32 {
	return saturate(math.Round(float64(x)))
}

func saturate(x float64) int32 {
	return int32(min(max(x, math.MinInt32), math.MaxInt32))
}
