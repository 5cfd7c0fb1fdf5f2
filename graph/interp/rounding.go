package interp

import (
	"math"
	"math/bits"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// What the runtimes disagree on beside the requantization of an accumulator. Float32 is XNNPACK throughout; the others
// are TFLite's formulas with the Rounding's product.

// builtin is the rounding of TFLite's own kernels beside the convolutions: what XNNPACK leaves comes to them, and ruy,
// which rounds upward, has no part in them.
func builtin(r quant.Rounding) quant.Rounding {
	if r == quant.Single {
		return r
	}
	return quant.Double
}

// rounding is that of the kernel which computes an integer node: of the runtime asked for, or of TFLite's own kernels, to which XNNPACK and ruy leave
// the rest. What depends on the scales is decided where they are looked at.
func (c *compiler) rounding(n *graph.Node) quant.Rounding {
	r, in, out := c.Rounding, n.In[0].Type.DType, n.Out.Type.DType
	if in == graph.Int16 {
		return builtin(r)
	}
	switch op := n.Op.(type) {
	case graph.Conv2D:
		g, _ := n.Geometry()
		switch { // TFLite has no optimized kernel for grouped convolutions
		case g.Depth != g.C && (r == quant.DoubleUp || n.In[1].Type.DType == graph.Int4):
			return builtin(r)
		case n.In[1].Type.DType == graph.Int4:
			return optimized(r)
		}
		return r
	case graph.DepthwiseConv2D:
		if n.In[1].Type.DType == graph.Int4 {
			return optimized(r)
		}
		return r
	case graph.FullyConnected:
		// Of int4 XNNPACK takes an even number of inputs: TFLite 2.20's with a scale for each channel only, LiteRT 2.3's with any.
		if w := n.In[1].Type; w.DType == graph.Int4 && w.Shape[1]%2 != 0 {
			return optimized(r)
		}
		return r
	case graph.Softmax:
		return optimized(r)
	case graph.Activate:
		return builtin(r)
	case graph.Pool:
		if op.Fn == graph.Average {
			return builtin(r)
		}
	case graph.Quantize:
		if in == graph.Float32 {
			return r
		}
		if in != out {
			return builtin(r)
		}
	}
	return r
}

// optimized is the rounding of TFLite's optimized kernels of layers, where XNNPACK leaves one to them.
func optimized(r quant.Rounding) quant.Rounding {
	if r == quant.Float32 {
		return quant.DoubleUp
	}
	return r
}

// full is the range of an integer type.
func full[T int8 | int16]() quant.Range {
	var x any = T(0)
	if _, ok := x.(int16); ok {
		return quant.Full16
	}
	return quant.Full
}

// within is the range of an output under a fused activation, in TFLite's own kernels.
func within[T int8 | int16](act graph.Activation, p *quant.Params) quant.Range {
	lo, hi := act.Bounds()
	scale, zero := p.At(0)
	return full[T]().Within(lo, hi, scale, zero)
}

// activation is the range of an int8 output under a fused activation. A bound f is round(f/scale) + zero: TFLite rounds
// half away from zero before adding, XNNPACK half to even after. They differ on ties only.
func activation(r quant.Rounding, act graph.Activation, p *quant.Params) quant.Range {
	lo, hi := act.Bounds()
	scale, zero := p.At(0)
	if r != quant.Float32 {
		return quant.Activation(lo, hi, scale, zero)
	}
	bound := func(real float64) int32 {
		q := float32(float32(real)/scale) + float32(zero)
		return int32(math.RoundToEven(float64(min(max(q, quant.Int8Min), quant.Int8Max))))
	}
	return quant.Range{Min: bound(lo), Max: bound(hi)}
}

// quantizer turns a real number into an integer of quantization p within [lo, hi], NaN into the zero point.
// TFLite: round half away(x / scale) + zero. XNNPACK: round half to even(x * (1/scale)) + zero.
func quantizer(r quant.Rounding, p *quant.Params, lo, hi int32) func(x float32) int32 {
	scale, zero := p.At(0)
	if r != quant.Float32 {
		return func(x float32) int32 { return quant.Quantize(x, scale, zero, lo, hi) }
	}
	inverse := 1 / scale
	return func(x float32) int32 {
		y := float64(float32(x * inverse))
		if math.IsNaN(y) {
			return zero
		}
		return int32(min(max(math.RoundToEven(y)+float64(zero), float64(lo)), float64(hi)))
	}
}

// fullyConnected is the factor of a fully connected layer's accumulator in TFLite's reference kernel, which since April
// 2025 multiplies in float64 and rounds once, half away from zero: roundProduct. (Before, and in TFLite Micro, it did as
// a convolution. The two differ by 1 on some of the values near a tie.)
func fullyConnected(in, weight, out float32) float64 {
	return float64(in) * float64(weight) / float64(out)
}

func roundProduct(acc int32, factor float64) int32 {
	return int32(min(max(math.Round(float64(acc)*factor), math.MinInt32), math.MaxInt32))
}

// rescaler takes an integer of quantization from to the same real number's integer of quantization to, not yet
// clamped. TFLite: requant((q - zero) * from/to) + zero. XNNPACK: the ratio as a multiple of 1/256, ties upward; it
// takes ratios of 2^-8 to 2^7 only and leaves the rest to TFLite's kernel.
func rescaler(r quant.Rounding, from, to *quant.Params) func(q int32) int32 {
	sFrom, zFrom := from.At(0)
	sTo, zTo := to.At(0)
	if ratio := sFrom / sTo; r == quant.Float32 {
		if ratio >= 1./256 && ratio <= 128 {
			m := int32(math.RoundToEven(float64(256 * ratio)))
			return func(q int32) int32 { return int32((int64(q-zFrom)*int64(m)+128)>>8) + zTo }
		}
	}
	return shifted(quant.Rescale(builtin(r), sFrom, sTo), from, to)
}

// shifted is a requantization between two zero points, not yet clamped: requant(q - zeroFrom) + zeroTo.
func shifted(requant quant.Requant, from, to *quant.Params) func(q int32) int32 {
	_, zFrom := from.At(0)
	_, zTo := to.At(0)
	return func(q int32) int32 {
		return int32(min(max(int64(requant.Apply(q-zFrom))+int64(zTo), math.MinInt32), math.MaxInt32))
	}
}

// meanRequant turns the sum of count integers of quantization in into their mean in quantization out.
//
// TFLite: the multiplier m of in/out takes up the division: with the largest k <= log2(count) that keeps the shift
// within -31, m' = m*2^k / count, truncated, and the mean is requant(sum - zero*count) by m' * 2^(shift-k-31).
// XNNPACK: round half to even(sum * f + z) in float32, f = in/out * (1/count) and z = zeroOut - zeroIn*count * f. That is LiteRT 2.3's; TFLite 2.20's
// rounds half away from zero, which is the same but where f makes ties.
//
// T is int8 or int16; XNNPACK takes int8 only.
func meanRequant[T int8 | int16](r quant.Rounding, count int, in, out *quant.Params) func(sum int32) T {
	sIn, zIn := in.At(0)
	sOut, zOut := out.At(0)
	offset := zIn * int32(count)
	if r == quant.Float32 {
		f := float32(quant.Rescale(r, sIn, sOut).Ratio() * (1 / float32(count)))
		z := float32(zOut) - float32(float32(offset)*f)
		return func(sum int32) T {
			y := math.RoundToEven(float64(float32(float32(sum)*f) + z))
			if math.IsNaN(y) { // both terms are beyond float32
				y = float64(sum-offset)*float64(f) + float64(zOut)
			}
			return T(min(max(y, quant.Int8Min), quant.Int8Max))
		}
	}
	m := quant.NewMultiplier(float64(sIn) / float64(sOut))
	k := min(bits.Len(uint(count))-1, 31+m.Shift)
	m = quant.Multiplier{M: int32(int64(m.M) << k / int64(count)), Shift: m.Shift - k}
	limit := full[T]()
	limit.Min, limit.Max = limit.Min-zOut, limit.Max-zOut
	return func(sum int32) T {
		return T(limit.Clamp(r.Apply(sum-offset, m)) + zOut)
	}
}
