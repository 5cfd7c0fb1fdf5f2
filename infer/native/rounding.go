package native

import (
	"math"
	"math/bits"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The arithmetic after the sum. graph/interp specifies it; this is a second writing of the same formulas, for kernels
// that compute with bytes q + 128. Float32 is XNNPACK, Double TFLite's reference kernels.

// output turns the sum of an output channel into the byte of the result.
type output struct {
	rounding quant.Rounding
	requant  []quant.Requant // one a channel
	product  []float64       // in its stead, where not nil: a fully connected layer rounded Double
	bounds
}

// newOutput is that of the convolution or fully connected layer n with oc channels.
func newOutput(r quant.Rounding, n *graph.Node, act graph.Activation, oc int) *output {
	x, w, to := n.In[0].Type.Quant, n.In[1].Type.Quant, n.Out.Type.Quant
	sx, _ := x.At(0)
	so, _ := to.At(0)
	t := &output{rounding: r, bounds: newBounds(r, act, to)}
	_, fully := n.Op.(graph.FullyConnected)
	for o := range oc {
		sw, _ := w.At(o)
		switch {
		case fully && r == quant.Double:
			t.product = append(t.product, float64(sx)*float64(sw)/float64(so))
		case fully && len(w.Scale) == 1:
			t.requant = append(t.requant, quant.FullyConnectedRequant(r, sx, sw, so))
		default:
			t.requant = append(t.requant, quant.ConvRequant(r, sx, sw, so))
		}
	}
	return t
}

// finish is clamp(round(sum * scale of channel o)) + zero, as a byte.
func (t *output) finish(sum int32, o int) byte {
	if t.product != nil {
		return t.within(saturate(math.Round(float64(sum) * t.product[o])))
	}
	return t.within(t.requant[o].Apply(sum))
}

// bounds are an int8 output's zero point and, less that, the range of its fused activation.
type bounds struct {
	zero  int32
	limit quant.Range
}

func newBounds(r quant.Rounding, act graph.Activation, p *quant.Params) bounds {
	_, zero := p.At(0)
	limit := activation(r, act, p)
	return bounds{zero, quant.Range{Min: limit.Min - zero, Max: limit.Max - zero}}
}

// within is clamp(q) + zero, as a byte. Clamping before adding saves a saturated number from overflowing.
func (b *bounds) within(q int32) byte { return byte(b.limit.Clamp(q)+b.zero) ^ flip }

func saturate(x float64) int32 { return int32(min(max(x, math.MinInt32), math.MaxInt32)) }

// activation is the range of an int8 output under a fused activation. XNNPACK rounds f/scale + zero half to even, the
// others f/scale half away from zero.
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

// rescaler takes an integer of quantization from to the same real number's integer of quantization to, within limit.
// XNNPACK has the ratio as a multiple of 1/256, for ratios of 2^-8 to 2^7; the rest is TFLite's.
func rescaler(r quant.Rounding, from, to *quant.Params, limit quant.Range) func(q int32) int32 {
	sFrom, zFrom := from.At(0)
	sTo, zTo := to.At(0)
	if ratio := sFrom / sTo; r == quant.Float32 {
		if ratio >= 1./256 && ratio <= 128 {
			m := int64(math.RoundToEven(float64(256 * ratio)))
			return func(q int32) int32 { return limit.Clamp(int32((int64(q-zFrom)*m+128)>>8) + zTo) }
		}
		r = quant.Double
	}
	return shifted(quant.Rescale(r, sFrom, sTo), from, to, limit)
}

// shifted is a requantization between two zero points.
func shifted(requant quant.Requant, from, to *quant.Params, limit quant.Range) func(q int32) int32 {
	_, zFrom := from.At(0)
	_, zTo := to.At(0)
	return func(q int32) int32 {
		return limit.Clamp(saturate(float64(requant.Apply(q-zFrom)) + float64(zTo)))
	}
}

// adder is a + b or a - b with XNNPACK's one rounding: (a*fa + b*fb + bias) >> shift, within bounds, for bytes a and b. The
// factors are the scales' ratios in 21 bits; no term is beyond 2*255*2^21, but for bias modulo 2^32.
type adder struct {
	fa, fb, bias int32
	shift        int32
	bounds
}

// newAdder is that of n, ok if XNNPACK takes its scales: ratios to the result's of 2^-10 to 2^8.
func newAdder(op graph.Arithmetic, a, b, out *quant.Params) (add adder, ok bool) {
	sa, za := a.At(0)
	sb, zb := b.At(0)
	so, _ := out.At(0)
	const least, most = 1. / 1024, 256
	ra, rb := sa/so, sb/so
	if !(ra >= least && ra < most && rb >= least && rb < most) {
		return adder{}, false
	}
	_, e := math.Frexp(float64(max(ra, rb)))
	shift := 21 - e
	fixed := func(ratio float32) int64 { return int64(math.RoundToEven(math.Ldexp(float64(ratio), shift))) }
	fa, fb := fixed(ra), fixed(rb)
	if op.Fn == graph.Sub {
		fb = -fb
	}
	bias := 1<<(shift-1) - fa*int64(za+flip) - fb*int64(zb+flip)
	return adder{int32(fa), int32(fb), int32(bias), int32(shift), newBounds(quant.Float32, op.Act, out)}, true
}

func (f *adder) apply(a, b byte) byte {
	return f.within((int32(a)*f.fa + int32(b)*f.fb + f.bias) >> f.shift)
}

// multiplier is a * b: requant((a - za) * (b - zb)), within bounds, by the scales' factor sa*sb/out. XNNPACK
// takes factors of 2^-16 to 2^8; the rest is TFLite's.
type multiplier struct {
	za, zb  int32
	float   bool // requant is XNNPACK's
	requant quant.Requant
	bounds
}

func newMultiplier(op graph.Arithmetic, a, b, out *quant.Params) multiplier {
	sa, za := a.At(0)
	sb, zb := b.At(0)
	so, _ := out.At(0)
	factor := float32(sa*sb) / so
	r, float := quant.Double, factor >= 1./65536 && factor < 256
	if float {
		r = quant.Float32
	}
	return multiplier{za, zb, float, quant.Rescale(r, factor, 1), newBounds(r, op.Act, out)}
}

func (m *multiplier) apply(a, b byte) byte {
	return m.within(m.requant.Apply((int32(a) - flip - m.za) * (int32(b) - flip - m.zb)))
}

// mean is what turns the sum of count integers into the integer of their mean.
type mean struct {
	float        bool
	factor, bias float32 // float: round half to even(sum * factor + bias)
	offset       int32   // what sum is of zero points alone; else: round((sum - offset) * mult), within bounds
	mult         quant.Multiplier
	rounding     quant.Rounding
	bounds
}

func newMean(r quant.Rounding, count int, in, out *quant.Params) mean {
	sIn, zIn := in.At(0)
	sOut, zOut := out.At(0)
	offset := zIn * int32(count)
	if r == quant.Float32 {
		f := float32(quant.Rescale(r, sIn, sOut).Ratio() * (1 / float32(count)))
		return mean{float: true, factor: f, bias: float32(zOut) - float32(float32(offset)*f), offset: offset, bounds: newBounds(r, graph.Linear, out)}
	}
	m := quant.NewMultiplier(float64(sIn) / float64(sOut))
	k := min(bits.Len(uint(count))-1, 31+m.Shift)
	m = quant.Multiplier{M: int32(int64(m.M) << k / int64(count)), Shift: m.Shift - k}
	return mean{offset: offset, mult: m, rounding: r, bounds: newBounds(r, graph.Linear, out)}
}

func (m *mean) finish(sum int32) byte {
	if !m.float {
		return m.within(m.rounding.Apply(sum-m.offset, m.mult))
	}
	y := math.RoundToEven(float64(float32(float32(sum)*m.factor) + m.bias))
	if math.IsNaN(y) { // both terms are beyond float32
		y = float64(sum-m.offset)*float64(m.factor) + float64(m.zero)
	}
	return byte(int8(min(max(y, quant.Int8Min), quant.Int8Max))) ^ flip
}

// quantizer turns real numbers into integers of quantization p within [lo, hi], NaN into the zero point. TFLite rounds
// x / scale half away from zero, XNNPACK x * (1 / scale) half to even.
type quantizer struct {
	rounding quant.Rounding
	scale    float32
	inverse  float32
	zero     int32
	lo, hi   int32
}

func newQuantizer(r quant.Rounding, p *quant.Params, lo, hi int32) quantizer {
	scale, zero := p.At(0)
	return quantizer{r, scale, 1 / scale, zero, lo, hi}
}

func (q *quantizer) apply(x float32) int32 {
	if q.rounding != quant.Float32 {
		return quant.Quantize(x, q.scale, q.zero, q.lo, q.hi)
	}
	y := float64(float32(x * q.inverse))
	if math.IsNaN(y) {
		return q.zero
	}
	return int32(min(max(math.RoundToEven(y)+float64(q.zero), float64(q.lo)), float64(q.hi)))
}
