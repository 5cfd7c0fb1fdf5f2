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
	exact               // of x as integers, less the zero point
	real      []float32 // x (N, H, W, C)
	scale     []float32 // (OC), of the weights
	bias      []float32 // (OC)
	symmetric bool      // x is quantized around 0
	byWeight  bool      // the sum is multiplied by the weight's scale first, not by the product of both
	lo, hi    float32   // of the fused activation
	out       []float32 // (N, OH, OW, OC)
}

func (c *compiler) hybridConv(n *graph.Node) (func(), error) {
	window, act := newWindow(n)
	w, bias, err := weights[int8, float32](c, n)
	if err != nil {
		return nil, err
	}
	f := &hybridConv{real: c.data[n.In[0]].([]float32), bias: bias, out: c.data[n.Out].([]float32)}
	f.exact = newExact(window, make([]int16, len(f.real)), w)
	f.lo, f.hi = bounds(act)
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
	}
	return f.run, nil
}

// quantize turns image n of x into integers and gives their scale.
func (f *hybridConv) quantize(n int) (scale float32) {
	x, q := f.real[n*len(f.real)/f.N:(n+1)*len(f.real)/f.N], f.x[n*len(f.x)/f.N:]
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

func (f *hybridConv) run() {
	for n := range f.N {
		scale := f.quantize(n)
		for y := range f.OH {
			for x := range f.OW {
				out := f.out[f.out0(n, y, x):]
				for o, sum := range f.at(n, y, x) {
					out[o] = f.finish(sum, o, scale)
				}
			}
		}
	}
}
