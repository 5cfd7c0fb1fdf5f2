package interp

import (
	"math"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// Layers of float32 with int8 weights (hybrid, or dynamic range, quantization), as TFLite's reference kernels have them:
// in each run an image's activations (a row's, of a fully connected layer) become int8 by their own range, the sums of
// products are exact, and the result is float32. XNNPACK rounds the activations otherwise; no Rounding follows it.

// hybridConv is (real) out = act(scale * sum of (q - zero) * w + bias), with q, scale and zero of the image at hand.
type hybridConv struct {
	window
	x         []float32 // (N, H, W, C)
	q         []int16   // x as integers, less the zero point
	w         []int8    // (OC, KH, KW, depth); of a depthwise one (1, KH, KW, OC)
	scale     []float32 // (OC), of the weights
	bias      []float32 // (OC)
	symmetric bool      // x is quantized around 0
	byWeight  bool      // the sum is multiplied by the weight's scale first, not by the product of both
	lo, hi    float32   // of the fused activation
	out       []float32 // (N, OH, OW, OC)
}

func (c *compiler) hybridConv(n *graph.Node) (func(), error) {
	f := &hybridConv{x: c.data[n.In[0]].([]float32), out: c.data[n.Out].([]float32)}
	var act graph.Activation
	f.window, act = newWindow(n)
	f.lo, f.hi = bounds(act)
	var err error
	if f.w, f.bias, err = weights[int8, float32](c, n); err != nil {
		return nil, err
	}
	if f.bias == nil {
		f.bias = make([]float32, f.OC)
	}
	f.q = make([]int16, len(f.x))
	alike := true
	for o := range f.OC {
		s, _ := n.In[1].Type.Quant.At(o)
		f.scale = append(f.scale, s)
		alike = alike && s == f.scale[0]
	}
	switch op := n.Op.(type) {
	case graph.Conv2D: // one scale for all channels goes to an older kernel
		f.symmetric = alike && f.Depth == f.C
		f.byWeight = !f.symmetric
	case graph.FullyConnected:
		f.symmetric = !op.Asymmetric
	case graph.DepthwiseConv2D:
		return f.depthwise(), nil
	}
	return f.conv, nil
}

// quantize turns image n of x into integers and gives their scale.
func (f *hybridConv) quantize(n int) (scale float32) {
	x, q := f.x[n*len(f.x)/f.N:(n+1)*len(f.x)/f.N], f.q[n*len(f.x)/f.N:]
	lo, hi := x[0], x[0]
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	if f.symmetric {
		return symmetric(x, max(-lo, hi), q)
	}
	return asymmetric(x, min(lo, 0), max(hi, 0), q)
}

// symmetric: q = round(x * 127/most), ties away from zero, of scale most/127.
func symmetric(x []float32, most float32, q []int16) (scale float32) {
	if most == 0 {
		clear(q[:len(x)])
		return 1
	}
	inverse := 127 / most
	for i, v := range x {
		q[i] = int16(min(max(math.Round(float64(v*inverse)), -127), 127))
	}
	return most / 127
}

// asymmetric: q = round(x/scale) + zero, clamped, less zero: the scale is (hi-lo)/255 and the zero point what the nearer
// end of the range asks for. (TFLite's portable kernel takes hi-lo in float64, and rounds after adding zero; that of
// processors with vectors, arm64 and amd64 among them, is followed here.)
func asymmetric(x []float32, lo, hi float32, q []int16) (scale float32) {
	if lo == hi {
		clear(q[:len(x)])
		return 1
	}
	step := float64(hi-lo) / 255
	zero := quant.Int8Max - float64(hi)/step
	if math.Abs(float64(lo)/step)-quant.Int8Min < math.Abs(float64(hi)/step)+quant.Int8Max {
		zero = quant.Int8Min - float64(lo)/step
	}
	zero = math.Round(min(max(zero, quant.Int8Min), quant.Int8Max))
	scale = float32(step)
	inverse := 1 / scale
	for i, v := range x {
		y := math.Round(float64(v*inverse)) + zero
		q[i] = int16(min(max(y, quant.Int8Min), quant.Int8Max) - zero)
	}
	return scale
}

// finish: out = act(sum * scale + bias), each operation rounded on its own.
func (f *hybridConv) finish(sum int64, o int, scale float32) float32 {
	y := float32(sum) * (f.scale[o] * scale)
	if f.byWeight {
		y = float32(float32(sum)*f.scale[o]) * scale
	}
	return min(max(float32(y)+f.bias[o], f.lo), f.hi)
}

func (f *hybridConv) conv() {
	depth := f.KH * f.KW * f.Depth
	for n := range f.N {
		scale := f.quantize(n)
		for y := range f.OH {
			for x := range f.OW {
				out := f.out[f.out0(n, y, x):][:f.OC]
				for o := range out {
					var acc int64
					w := f.w[o*depth : (o+1)*depth]
					f.runs(n, y, x, f.Group(o), func(in, length, k int) {
						acc += dot(f.q[in:in+length], w[k:])
					})
					out[o] = f.finish(acc, o, scale)
				}
			}
		}
	}
}

func (f *hybridConv) depthwise() func() {
	sum, mult := make([]int64, f.OC), f.OC/f.C
	return func() {
		for n := range f.N {
			scale := f.quantize(n)
			for y := range f.OH {
				for x := range f.OW {
					clear(sum)
					f.eachTap(n, y, x, func(in, tap int) {
						q, w := f.q[in:in+f.C], f.w[tap*f.OC:][:len(sum)]
						for o := range sum {
							sum[o] += int64(q[o/mult]) * int64(w[o])
						}
					})
					out := f.out[f.out0(n, y, x):][:f.OC]
					for o, s := range sum {
						out[o] = f.finish(s, o, scale)
					}
				}
			}
		}
	}
}
