package interp

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The int16 operators: activations are real = scale * q, weights int8, the sums of products int64, which nothing
// overflows that budget lets through. XNNPACK takes none of them, so that every Rounding computes what TFLite's kernels
// do, Single but for the accumulators' requantization, which rounds once everywhere. The optimized kernel of Add and Sub
// shifts and multiplies at once, and is not followed. Operators that only move or pick elements
// are with those of int8.

// int16Node returns what computes a node that takes and gives int16.
func (c *compiler) int16Node(n *graph.Node) (func(), error) {
	x, out := c.data[n.In[0]].([]int16), c.data[n.Out].([]int16)
	in, to := n.In[0].Type.Quant, n.Out.Type.Quant
	switch op := n.Op.(type) {
	case graph.Conv2D, graph.FullyConnected, graph.DepthwiseConv2D:
		return c.int16Conv(n)
	case graph.Activate:
		limit := within[int16](op.Act, to)
		requant := quant.ActivationRequant(c.rounding(n), in.Scale[0], to.Scale[0])
		return func() {
			for i, q := range x {
				out[i] = int16(limit.Clamp(requant.Apply(int32(q))))
			}
		}, nil
	case graph.Mean:
		to, count := reduction(n.In[0].Type.Shape, op.Axes)
		if count > math.MaxInt32/(1<<15) {
			return nil, fmt.Errorf("the mean of %d elements may overflow its accumulator", count)
		}
		return meanInt(x, to, meanRequant[int16](c.rounding(n), count, in, n.Out.Type.Quant), out), nil
	}
	return nil, errors.New("no int16 kernel")
}

// int16Conv is a convolution of int16: (real) out = act(x * w + bias), bias and accumulator in units of x's scale times
// the weight's.
type int16Conv struct {
	exact
	bias    []int64            // (OC)
	mult    []quant.Multiplier // (OC)
	product []float64          // in its stead, where not nil: see fullyConnected
	limit   quant.Range        // of the fused activation
	out     []int16            // (N, OH, OW, OC)
}

func (c *compiler) int16Conv(n *graph.Node) (func(), error) {
	window, act := newWindow(n)
	w8, bias, err := weights[int8, int64](c, n)
	if err != nil {
		return nil, err
	}
	f := &int16Conv{exact: newExact(window, c.data[n.In[0]].([]int16), w8), bias: bias, out: c.data[n.Out].([]int16)}
	x, w, out := n.In[0].Type.Quant, n.In[1].Type.Quant, n.Out.Type.Quant
	f.limit = within[int16](act, out)
	_, fully := n.Op.(graph.FullyConnected)
	for o := range f.OC {
		sw, _ := w.At(o)
		if fully {
			f.product = append(f.product, fullyConnected(x.Scale[0], sw, out.Scale[0]))
		} else {
			f.mult = append(f.mult, quant.ConvMultiplier(x.Scale[0], sw, out.Scale[0]))
		}
	}
	if err := f.budget(); err != nil {
		return nil, err
	}
	return f.run, nil
}

// budget reports an accumulator that could leave the 48 bits that its requantization has room for.
func (f *int16Conv) budget() error {
	taps := int64(f.KH) * int64(f.KW) * int64(f.Depth) << 22
	for o, b := range f.bias {
		if taps >= 1<<46 || b >= 1<<46 || b <= -1<<46 {
			return fmt.Errorf("channel %d, with bias %d, may overflow its accumulator", o, b)
		}
	}
	return nil
}

// finish: q = clamp(requant(acc)).
func (f *int16Conv) finish(acc int64, o int) int16 {
	if f.product != nil {
		y := math.Round(float64(acc) * f.product[o])
		return int16(min(max(y, float64(f.limit.Min)), float64(f.limit.Max)))
	}
	return int16(f.limit.Clamp(f.mult[o].Apply64(acc)))
}

// run: out = finish(bias[o] + the exact sum).
func (f *int16Conv) run() {
	for n := range f.N {
		for y := range f.OH {
			for x := range f.OW {
				out := f.out[f.out0(n, y, x):]
				for o, sum := range f.at(n, y, x) {
					out[o] = f.finish(f.bias[o]+sum, o)
				}
			}
		}
	}
}

// exact is what layers of int16 inputs and int8 weights sum up, which no int64 loses anything of.
type exact struct {
	window
	x   []int16 // (N, H, W, C)
	w   []int8  // as Geometry.Weight has them
	sum []int64 // (OC), of the window at hand
}

func newExact(w window, x []int16, weights []int8) exact {
	return exact{w, x, weights, make([]int64, w.OC)}
}

// at gives, for each o, the sum over the taps within the data of the window at (y, x) of image n, and over i, of in[n, iy, ix, g+i] * w[o,ky,kx,i],
// g being the first channel of o's group. They hold until the next call.
func (s *exact) at(n, y, x int) []int64 {
	if !s.Depthwise {
		for o := range s.sum {
			sum, w := int64(0), s.w[s.Weight(o, 0):]
			s.runs(n, y, x, s.Group(o), func(in, length, k int) { sum += dot(s.x[in:in+length], w[k:]) })
			s.sum[o] = sum
		}
		return s.sum
	}
	clear(s.sum) // tap by tap over all channels, whose weights are neighbours
	mult := s.OC / s.C
	s.eachTap(n, y, x, func(in, tap int) {
		x, w := s.x[in:in+s.C], s.w[s.Weight(0, tap):][:s.OC]
		for o := range w {
			s.sum[o] += int64(x[o/mult]) * int64(w[o])
		}
	})
	return s.sum
}

// dot is the sum of x[i] * w[i], of at most 2^40 elements.
func dot(x []int16, w []int8) (sum int64) {
	w = w[:len(x)]
	for i, q := range x {
		sum += int64(q) * int64(w[i])
	}
	return sum
}

// eachTap calls f for each tap that the window at (y, x) of image n has within the data: in is the offset of the pixel
// it sees, tap its number.
func (g *window) eachTap(n, y, x int, f func(in, tap int)) {
	ky0, ky1 := g.taps(0, y)
	kx0, kx1 := g.taps(1, x)
	for ky := ky0; ky < ky1; ky++ {
		iy, _ := g.At(0, y, ky)
		for kx := kx0; kx < kx1; kx++ {
			ix, _ := g.At(1, x, kx)
			f(g.x0(n, iy, ix), ky*g.KW+kx)
		}
	}
}

// logistic16 is 1 / (1 + exp(-x)) to steps of 1/32768: x, brought to steps of 1/12288, falls between two entries of a
// table in steps of 1/24, which are 16 bits and a half of the middle's error higher, and is interpolated. (Of a scale of
// exactly 1/4096, TFLite's optimized kernels have another way, which is not followed.)
func logistic16(in *quant.Params) (func(q int16) int16, error) {
	scale := in.Scale[0]
	factor, left := float64(scale)*4096*3, 0
	if exponent := log2(scale); exponent == -12 { // the kernel's shortcut, which gives the same
		factor = 3
	} else {
		for factor <= math.MaxInt16/2. && left <= 30 {
			left++
			factor *= 2
		}
		if factor > math.MaxInt16 {
			return nil, fmt.Errorf("scale %v is too large", scale)
		}
	}
	m, half := int32(factor), int32(0)
	if left > 0 {
		half = 1 << (left - 1)
	}
	table := sigmoidTable()
	return func(q int16) int16 {
		x := (int32(q)*m + half) >> left
		at := uint32(max(x, -x))
		y := uint32(0x7fff << 10)
		if i := at >> 9; i < 255 {
			y = table[i]<<9 + at&0x1ff*(table[i+1]-table[i])
		}
		if x >= 0 {
			return int16((y + 1<<9) >> 10)
		}
		return int16((1<<25 - y + 1<<9 - 1) >> 10)
	}, nil
}

// log2 is the exponent of a power of two, or 0 of what is none.
func log2(x float32) int {
	f, e := math.Frexp(float64(x))
	if f != 0.5 {
		return 0
	}
	return e - 1
}

// sigmoidTable is 65536 * sigmoid(i/24), raised by half of what a straight line to the next entry falls short of the
// curve in the middle.
func sigmoidTable() (table [256]uint32) {
	sigmoid := func(i float64) float64 { return 65536 / (1 + exp(-i/24)) }
	for i := range table {
		a := float64(i)
		short := sigmoid(a+0.5) - (sigmoid(a)+sigmoid(a+1))/2
		table[i] = uint32(math.Floor(sigmoid(a) + short/2 + 0.5))
	}
	table[255] = math.MaxUint16
	return table
}

// softmax16 is TFLite's, r the rounding of its own kernels: exponents and the reciprocal of their sum from tables with interpolation, in 15 bits.
func softmax16(r quant.Rounding, beta, scale float32) func(x, out []int16) {
	m := quant.NewMultiplier(float64(float32(scale*beta)) / (10. / 65535))
	// Arguments of exp are -10 to 0, of 1/(1+x) 0 to 1, spread over all of an int16.
	exponent := interpolated(10./65535, math.MaxInt16, exp)
	inverse := interpolated(1./65535, math.MinInt16, func(x float64) float64 { return 1 / (1 + x) })
	return func(x, out []int16) {
		top := x[0]
		for _, q := range x {
			top = max(top, q)
		}
		var sum int32 // 15 fraction bits
		for i, q := range x {
			d := r.Apply(int32(q)-int32(top), m) + math.MaxInt16
			out[i] = exponent(int16(min(max(d, math.MinInt16), math.MaxInt16)))
			sum += int32(out[i])
		}
		zeros := bits.LeadingZeros32(uint32(sum))
		shifted := int32((int64(sum)<<(zeros-1) + 1<<13) >> 14) // 1 to 2, with 16 fraction bits
		at := shifted - 1<<15 - 1<<16
		reciprocal := int64(inverse(int16(min(max(at, math.MinInt16), math.MaxInt16))))
		right := 31 - zeros
		for i, e := range out {
			y := int32((int64(e)*reciprocal + 1<<(right-1)) >> right)
			out[i] = int16(min(max(y, 0), math.MaxInt16))
		}
	}
}

// interpolated is f of (q - zero) * step, in steps of 1/32768, between the 513 entries of a table. An entry is lowered
// by half of what a straight line to the next one exceeds f by in the middle.
func interpolated(step float64, zero int32, f func(float64) float64) func(q int16) int16 {
	const entries = 512
	first, last := step*float64(math.MinInt16-zero), step*float64(math.MaxInt16-zero)
	width := (last - first) / entries
	const outStep = 2. / 65535
	const perUnit = 65536. / (outStep*math.MaxInt16 - outStep*math.MinInt16)
	limit := func(x float64) int16 { return int16(min(max(x, math.MinInt16), math.MaxInt16)) }
	var table [entries + 1]int16
	for i := range entries {
		x := first + float64(float64(i)*width)
		here, next := f(x)*perUnit, f(first+float64(float64(i+1)*width))*perUnit
		middle := math.Round(f(x+width/2) * perUnit)
		line := math.Round((next + math.Round(here)) / 2)
		table[i] = limit(math.Round(here) - math.Round((line-middle)/2))
	}
	table[entries] = limit(math.Round(f(last) * perUnit))
	return func(q int16) int16 {
		i, rest := 256+int(q>>7), int32(q&0x7f)
		slope := int32(table[i+1]) - int32(table[i])
		return table[i] + int16((slope*rest+64)>>7)
	}
}
