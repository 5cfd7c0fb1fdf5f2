package interp

import (
	"errors"
	"fmt"
	"math"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The operators that compute each element of the result from one element of each input, and Softmax, which needs a row.
// Each has an equation for float32, one for TFLite's reference kernels and, where it differs, one for XNNPACK.

// arithmetic returns what computes an Arithmetic node.
func (c *compiler) arithmetic(n *graph.Node, op graph.Arithmetic) (func(), error) {
	switch out := c.data[n.Out].(type) {
	case []float32:
		lo, hi := bounds(op.Act)
		f := [...]func(a, b float32) float32{
			graph.Add: func(a, b float32) float32 { return a + b },
			graph.Sub: func(a, b float32) float32 { return a - b },
			graph.Mul: func(a, b float32) float32 { return float32(a * b) },
			graph.Div: func(a, b float32) float32 { return a / b },
		}[op.Fn]
		return pairwise(c, n, out, func(a, b float32) float32 { return min(max(f(a, b), lo), hi) })
	case []int8:
		return integerArithmetic(c, n, op, out)
	case []int16:
		return integerArithmetic(c, n, op, out)
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

func integerArithmetic[T int8 | int16](c *compiler, n *graph.Node, op graph.Arithmetic, out []T) (func(), error) {
	r, a, b, to := c.rounding(n), n.In[0].Type.Quant, n.In[1].Type.Quant, n.Out.Type.Quant
	if op.Fn == graph.Mul {
		return pairwise(c, n, out, multiplier[T](r, op.Act, a, b, to))
	}
	sum, err := adder[T](r, op, a, b, to)
	if err != nil {
		return nil, err
	}
	return pairwise(c, n, out, sum)
}

// pairwise applies f to the inputs' elements, of which one is repeated where its shape falls short of the result's.
func pairwise[T any](c *compiler, n *graph.Node, out []T, f func(a, b T) T) (func(), error) {
	a, okA := c.data[n.In[0]].([]T)
	b, okB := c.data[n.In[1]].([]T)
	if !okA || !okB {
		return nil, errors.New("inputs and result differ in type")
	}
	if len(a) == len(out) && len(b) == len(out) {
		return func() {
			for i := range out {
				out[i] = f(a[i], b[i])
			}
		}, nil
	}
	atA, atB := repeated(n.In[0].Type.Shape, n.Out.Type.Shape), repeated(n.In[1].Type.Shape, n.Out.Type.Shape)
	return func() {
		for i := range out {
			out[i] = f(a[atA[i]], b[atB[i]])
		}
	}, nil
}

// repeated is, for each element of a tensor of shape to, the place in a tensor of shape from that is repeated there.
func repeated(from, to []int) []int {
	step := make([]int, len(to))
	for i, s := range graph.Strides(from) {
		if from[i] != 1 {
			step[len(to)-len(from)+i] = s
		}
	}
	return graph.Offsets(to, step, 0)
}

// adder is a + b or a - b.
//
// TFLite: both are brought to the scale 2*max(sa, sb)/2^20 (of int16 2^15), added, and the sum is brought to the
// result's.
// XNNPACK: one rounding, of a*A + b*B to 2^-shift, ties upward, with the scales' ratios A and B in 21 bits; it takes
// ratios of 2^-10 to 2^8 only and leaves the rest to TFLite's kernel.
func adder[T int8 | int16](r quant.Rounding, op graph.Arithmetic, a, b, out *quant.Params) (func(a, b T) T, error) {
	sa, za := a.At(0)
	sb, zb := b.At(0)
	so, zo := out.At(0)
	sign := int32(1)
	if op.Fn == graph.Sub {
		sign = -1
	}
	const least, most = 1. / 1024, 256
	ra, rb := sa/so, sb/so
	if r == quant.Float32 && ra >= least && ra < most && rb >= least && rb < most {
		limit := activation(r, op.Act, out)
		_, e := math.Frexp(float64(max(ra, rb)))
		shift := 21 - e
		fixed := func(ratio float32) int64 { return int64(math.RoundToEven(math.Ldexp(float64(ratio), shift))) }
		fa, fb := fixed(ra), int64(sign)*fixed(rb)
		bias := 1<<(shift-1) - fa*int64(za) - fb*int64(zb)
		return func(a, b T) T {
			acc := int32(bias + fa*int64(a) + fb*int64(b)) // at most 2*255*2^21
			return T(limit.Clamp(acc>>shift + zo))
		}, nil
	}
	r = builtin(r)
	limit, left := within[T](op.Act, out), 20
	if full[T]() == quant.Full16 {
		left = 15
	}
	twice := 2 * float64(max(sa, sb))
	if twice/float64(int(1)<<left) >= float64(so) {
		return nil, fmt.Errorf("scale %v is too small beside the inputs' %v and %v", so, sa, sb)
	}
	ma, mb := quant.NewMultiplier(float64(sa)/twice), quant.NewMultiplier(float64(sb)/twice)
	mo := quant.NewMultiplier(twice / float64(so*float32(int(1)<<left)))
	return func(a, b T) T {
		sum := r.Apply((int32(a)-za)<<left, ma) + sign*r.Apply((int32(b)-zb)<<left, mb)
		return T(limit.Clamp(r.Apply(sum, mo) + zo))
	}, nil
}

// multiplier is a * b: requant((a - za) * (b - zb)), by the factor sa*sb/out computed in float32. XNNPACK takes factors
// of 2^-16 to 2^8 and leaves the rest to TFLite's kernel.
func multiplier[T int8 | int16](r quant.Rounding, act graph.Activation, a, b, out *quant.Params) func(a, b T) T {
	sa, za := a.At(0)
	sb, zb := b.At(0)
	so, zo := out.At(0)
	factor := float32(sa*sb) / so
	if r != quant.Float32 || !(factor >= 1./65536 && factor < 256) {
		r = builtin(r)
	}
	limit := within[T](act, out)
	if r == quant.Float32 {
		limit = activation(r, act, out)
	}
	limit.Min, limit.Max = limit.Min-zo, limit.Max-zo // before zo is added, so that nothing overflows
	requant := quant.Rescale(r, factor, 1)
	return func(a, b T) T {
		return T(limit.Clamp(requant.Apply((int32(a)-za)*(int32(b)-zb))) + zo)
	}
}

// unary returns what computes a Unary node. An int8 one is a table of its 256 results.
func (c *compiler) unary(n *graph.Node, op graph.Unary) (func(), error) {
	switch x := c.data[n.In[0]].(type) {
	case []float32:
		return each(x, c.data[n.Out].([]float32), floatUnary[op.Fn]), nil
	case []int16:
		if op.Fn != graph.Logistic {
			break
		}
		out := c.data[n.Out].([]int16)
		f, err := logistic16(n.In[0].Type.Quant)
		return func() {
			for i, q := range x {
				out[i] = f(q)
			}
		}, err
	case []int8:
		if op.Fn == graph.Logistic {
			return c.table(n, logisticInt(c.rounding(n), n.In[0].Type.Quant)), nil
		}
		f, err := hardSwishInt(n.In[0].Type.Quant, n.Out.Type.Quant)
		if err != nil {
			return nil, err
		}
		return c.table(n, f), nil
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

// floatUnary are the functions of a Unary; what leaves float32 is rounded once.
var floatUnary = [...]func(float32) float32{
	graph.HardSwish: hardSwish,
	graph.Logistic:  logistic,
	graph.Tanh: func(x float32) float32 {
		m := expm1(-2 * math.Abs(float64(x)))
		return float32(math.Copysign(m/(2+m), float64(x)))
	},
	graph.Exp:    func(x float32) float32 { return float32(exp(float64(x))) },
	graph.Abs:    func(x float32) float32 { return float32(math.Abs(float64(x))) },
	graph.Neg:    func(x float32) float32 { return -x },
	graph.Sqrt:   func(x float32) float32 { return float32(math.Sqrt(float64(x))) },
	graph.Rsqrt:  func(x float32) float32 { return float32(1 / math.Sqrt(float64(x))) },
	graph.Square: func(x float32) float32 { return float32(x * x) },
	graph.Elu: func(x float32) float32 {
		if x < 0 {
			return float32(expm1(float64(x)))
		}
		return x
	},
	graph.Floor: func(x float32) float32 { return float32(math.Floor(float64(x))) },
	graph.Ceil:  func(x float32) float32 { return float32(math.Ceil(float64(x))) },
	graph.Round: func(x float32) float32 { return float32(math.RoundToEven(float64(x))) },
	graph.Gelu: func(x float32) float32 {
		return float32(float64(x) / 2 * (1 + erf(float64(x)/math.Sqrt2)))
	},
	graph.GeluTanh: func(x float32) float32 { // (1 + tanh(y)) / 2 = 1 / (1 + exp(-2y))
		y := math.Sqrt(2/math.Pi) * (float64(x) + float64(0.044715*float64(float64(x)*float64(x)*float64(x))))
		return float32(float64(x) / (1 + exp(-2*y)))
	},
	graph.Clip1:  func(x float32) float32 { return min(max(x, -1), 1) },
	graph.Clip01: func(x float32) float32 { return min(max(x, 0), 1) },
	graph.Log:    func(x float32) float32 { return float32(log(float64(x))) },
	graph.Sin:    func(x float32) float32 { return float32(sine(float64(x), 0)) },
	graph.Cos:    func(x float32) float32 { return float32(sine(float64(x), 1)) },
}

// each applies f to every element.
func each(x, out []float32, f func(float32) float32) func() {
	return func() {
		for i, v := range x {
			out[i] = f(v)
		}
	}
}

// floatPair returns what computes a node of two float32 inputs.
func (c *compiler) floatPair(n *graph.Node, f func(a, b float32) float32) (func(), error) {
	out, ok := c.data[n.Out].([]float32)
	if !ok {
		return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
	}
	return pairwise(c, n, out, f)
}

// floatPairs are the functions of a Pair.
var floatPairs = [...]func(a, b float32) float32{
	graph.Maximum:           func(a, b float32) float32 { return max(a, b) },
	graph.Minimum:           func(a, b float32) float32 { return min(a, b) },
	graph.SquaredDifference: func(a, b float32) float32 { return float32((a - b) * (a - b)) },
	graph.Pow:               func(a, b float32) float32 { return float32(pow(float64(a), float64(b))) },
}

func prelu(x, alpha float32) float32 {
	if x < 0 {
		return float32(x * alpha)
	}
	return x
}

// leakyReLU returns what computes a LeakyReLU node.
func (c *compiler) leakyReLU(n *graph.Node, op graph.LeakyReLU) (func(), error) {
	x, ok := c.data[n.In[0]].([]float32)
	if !ok {
		return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
	}
	return each(x, c.data[n.Out].([]float32), func(v float32) float32 { return prelu(v, op.Alpha) }), nil
}

// table applies f, which gives an int8 for every int8, through a table.
func (c *compiler) table(n *graph.Node, f func(q int32) int32) func() {
	var table [256]int8
	for q := int32(quant.Int8Min); q <= quant.Int8Max; q++ {
		table[uint8(q)] = int8(f(q))
	}
	x, out := c.data[n.In[0]].([]int8), c.data[n.Out].([]int8)
	return func() {
		for i, q := range x {
			out[i] = table[uint8(q)]
		}
	}
}

func hardSwish(x float32) float32 { return float32(x*min(max(x+3, 0), 6)) / 6 }

func logistic(x float32) float32 { return float32(1 / (1 + exp(-float64(x)))) }

// logisticInt is the logistic function to steps of 1/256 from -128. TFLite: 1 / (1 + exp(-x)) in float32, rounded half
// away from zero. XNNPACK: exp(x) / (1 + exp(x)) in float64, then float32, and half to even after adding the zero point.
func logisticInt(r quant.Rounding, in *quant.Params) func(q int32) int32 {
	scale, zero := in.At(0)
	return func(q int32) int32 {
		x := float32(scale * float32(q-zero))
		var y float64
		if r == quant.Float32 {
			y = math.RoundToEven(float64(float32(256*float32(logisticXNN(x))) + quant.Int8Min))
		} else {
			e := float32(exp(float64(-x)))
			y = math.Round(float64(256*float32(1/(1+e)))) + quant.Int8Min
		}
		return int32(min(max(y, quant.Int8Min), quant.Int8Max))
	}
}

func logisticXNN(x float32) float64 {
	switch {
	case x > 100:
		return 1
	case x < -100:
		return 0
	}
	e := exp(float64(x))
	return e / (1 + e)
}

// hardSwishInt is x * relu6(x + 3) / 6 in 16-bit fixed point, the same in every runtime: XNNPACK leaves it to TFLite's
// kernel. The input, times 2^7 to use the bits, is brought once to the result's scale, and once to where 32768 is 3 and
// from there to [0, 1], the share of x that passes.
func hardSwishInt(in, out *quant.Params) (func(q int32) int32, error) {
	si, zi := in.At(0)
	so, zo := out.At(0)
	fine := float32(si / 128)
	toOut, toShare := quant.NewMultiplier(float64(fine/so)), quant.NewMultiplier(float64(fine/float32(3./32768)))
	if toOut.Shift > 0 || toOut.Shift < -15 || toShare.Shift < -15 || toShare.Shift > 31 {
		return nil, fmt.Errorf("scales %v and %v are too far apart", si, so)
	}
	half := func(m int32) int32 { return min((m>>1+1<<14)>>15, math.MaxInt16) }
	mOut, mShare := half(toOut.M), half(toShare.M)
	return func(q int32) int32 {
		x := (q - zi) << 7
		whole := mulQ15(x, mOut, 1<<14)
		share := x
		if toShare.Shift > 0 {
			share = saturate16(int64(share) << (toShare.Shift - 1))
		}
		share = mulQ15(share, mShare, 1<<14)
		if toShare.Shift > 0 {
			share = saturate16(int64(share) << 1)
		} else {
			share = shift(share, toShare.Shift)
		}
		share = (share + 1<<15) >> 1
		y := shift(mulQ15(share, whole, 0), toOut.Shift) + zo
		return min(max(y, quant.Int8Min), quant.Int8Max)
	}, nil
}

// mulQ15 is a * b / 2^15 of 16-bit numbers, with nudge added to the product's magnitude and the rest cut off.
func mulQ15(a, b, nudge int32) int32 {
	p := a * b
	switch {
	case p == 1<<30:
		return math.MaxInt16
	case p < 0 && nudge > 0:
		return (p + 1 - nudge) / (1 << 15)
	}
	return (p + nudge) / (1 << 15)
}

func saturate16(x int64) int32 { return int32(min(max(x, math.MinInt16), math.MaxInt16)) }

// most16 is the most elements whose exponents, of 15 bits, an int32 has room for the sum of.
const most16 = math.MaxInt32 / math.MaxInt16

// softmax returns what computes a Softmax node, row by row.
func (c *compiler) softmax(n *graph.Node, op graph.Softmax) (func(), error) {
	shape := n.In[0].Type.Shape
	depth := shape[len(shape)-1]
	switch x := c.data[n.In[0]].(type) {
	case []float32:
		return rows(x, c.data[n.Out].([]float32), depth, func(x, out []float32) { softmaxFloat(op.Beta, x, out) }), nil
	case []int16:
		if depth > most16 {
			return nil, fmt.Errorf("a row of %d elements may overflow its sum: want at most %d", depth, most16)
		}
		return rows(x, c.data[n.Out].([]int16), depth, softmax16(c.rounding(n), op.Beta, n.In[0].Type.Quant.Scale[0])), nil
	case []int8:
		scale, _ := n.In[0].Type.Quant.At(0)
		f := softmaxTable(op.Beta, scale)
		if r := c.rounding(n); r != quant.DoubleUp {
			var err error
			if f, err = softmaxFixed(r, op.Beta, scale, depth); err != nil {
				return nil, err
			}
		}
		return rows(x, c.data[n.Out].([]int8), depth, f), nil
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

func rows[T any](x, out []T, depth int, f func(x, out []T)) func() {
	return func() {
		for i := 0; i < len(x); i += depth {
			f(x[i:i+depth], out[i:i+depth])
		}
	}
}

func softmaxFloat(beta float32, x, out []float32) {
	most := x[0]
	for _, v := range x {
		most = max(most, v)
	}
	var sum float32
	for i, v := range x {
		out[i] = float32(exp(float64(float32((v - most) * beta))))
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
}

// softmaxFixed is TFLite's reference kernel: exponents with 5 integer bits, their sum with 12, a reciprocal by Newton's
// iteration. Differences that the exponents have no room for count as minus infinity.
func softmaxFixed(r quant.Rounding, beta, scale float32, depth int) (func(x, out []int8), error) {
	const integers, most = 5, 1<<12 - 1
	factor := min(float64(beta)*float64(scale)*(1<<(31-integers)), math.MaxInt32)
	if factor <= 1 {
		return nil, fmt.Errorf("scale %v is too small", scale)
	}
	if depth > most {
		return nil, fmt.Errorf("a row of %d elements may overflow its sum: want at most %d", depth, most)
	}
	m := quant.NewMultiplier(factor)
	far := -int32(math.Floor(math.Ldexp(1<<integers-1, 31-integers-m.Shift)))
	return func(x, out []int8) {
		top := x[0]
		for _, q := range x {
			top = max(top, q)
		}
		var sum int32
		for _, q := range x {
			if d := int32(q) - int32(top); d >= far {
				sum += shift(expQ26(r.Apply(d, m)), -12)
			}
		}
		inverse, over := reciprocal(sum, 12)
		for i, q := range x {
			out[i] = quant.Int8Min
			if d := int32(q) - int32(top); d >= far {
				p := shift(quant.MulQ31(inverse, expQ26(r.Apply(d, m))), -(over + 31 - 8))
				out[i] = int8(min(p+quant.Int8Min, quant.Int8Max))
			}
		}
	}, nil
}

// softmaxTable is TFLite's optimized kernel, to which XNNPACK leaves the operator: float32 exponents from a table.
func softmaxTable(beta, scale float32) func(x, out []int8) {
	var table [256]float32
	step := float32(-scale * beta)
	for d := range table {
		table[d] = float32(exp(float64(float32(step * float32(d)))))
	}
	return func(x, out []int8) {
		top := x[0]
		for _, q := range x {
			top = max(top, q)
		}
		var sum float32
		for _, q := range x {
			sum += table[int(top)-int(q)]
		}
		inverse := 1 / float32(sum*(1./256))
		for i, q := range x {
			p := math.Round(float64(float32(table[int(top)-int(q)] * inverse)))
			out[i] = int8(min(p+quant.Int8Min, quant.Int8Max))
		}
	}
}
