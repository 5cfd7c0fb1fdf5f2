package interp

import (
	"fmt"
	"math"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The operators that pick, move or mix the elements of images.

// pool returns what computes a Pool node. XNNPACK leaves an int8 average to TFLite's kernel.
func (c *compiler) pool(n *graph.Node, op graph.Pool) (func(), error) {
	var g window
	g.Geometry, _ = n.Geometry()
	switch x := c.data[n.In[0]].(type) {
	case []float32:
		lo, hi := bounds(op.Act)
		f := floatMean
		if op.Fn == graph.Max {
			f = largest[float32]
		}
		return pool(&g, x, c.data[n.Out].([]float32), func(v []float32) float32 { return min(max(f(v), lo), hi) }), nil
	case []int8:
		if int64(g.KH)*int64(g.KW) > math.MaxInt32/256 {
			return nil, fmt.Errorf("a window of %v may overflow its accumulator", op.Size)
		}
		f := intMean[int8]
		if op.Fn == graph.Max {
			f = largest[int8]
		}
		limit := activation(c.rounding(n), op.Act, n.Out.Type.Quant)
		return pool(&g, x, c.data[n.Out].([]int8), func(v []int8) int8 { return int8(limit.Clamp(int32(f(v)))) }), nil
	case []int16:
		if int64(g.KH)*int64(g.KW) > math.MaxInt32/(1<<16) {
			return nil, fmt.Errorf("a window of %v may overflow its accumulator", op.Size)
		}
		f := intMean[int16]
		if op.Fn == graph.Max {
			f = largest[int16]
		}
		limit := within[int16](op.Act, n.Out.Type.Quant)
		return pool(&g, x, c.data[n.Out].([]int16), func(v []int16) int16 { return int16(limit.Clamp(int32(f(v)))) }), nil
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

// pool gives f what each window holds of a channel, padding left out, in the order of the taps.
func pool[T any](g *window, x, out []T, f func([]T) T) func() {
	seen := make([]T, 0, min(g.KH, g.H)*min(g.KW, g.W))
	return func() {
		for n := range g.N {
			for oy := range g.OH {
				ky0, ky1 := g.taps(0, oy)
				for ox := range g.OW {
					kx0, kx1 := g.taps(1, ox)
					for c := range g.C {
						seen = seen[:0]
						for ky := ky0; ky < ky1; ky++ {
							y, _ := g.At(0, oy, ky)
							for kx := kx0; kx < kx1; kx++ {
								x0, _ := g.At(1, ox, kx)
								seen = append(seen, x[g.x0(n, y, x0)+c])
							}
						}
						out[g.out0(n, oy, ox)+c] = f(seen)
					}
				}
			}
		}
	}
}

func largest[T float32 | int8 | int16](v []T) T {
	m := v[0]
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

func floatMean(v []float32) float32 {
	var sum float32
	for _, x := range v {
		sum += x
	}
	return sum / float32(len(v))
}

// intMean rounds half away from zero. The zero point stays where it was.
func intMean[T int8 | int16](v []T) T {
	var sum int32
	for _, q := range v {
		sum += int32(q)
	}
	n := int32(len(v))
	if sum > 0 {
		return T((sum + n/2) / n)
	}
	return T((sum - n/2) / n)
}

// concat returns what copies each input's stretches, which are whole from the axis on, behind one another.
func (c *compiler) concat(n *graph.Node, op graph.Concat) (func(), error) {
	switch out := c.data[n.Out].(type) {
	case []float32:
		return concat(c, n, op, out), nil
	case []int8:
		return concat(c, n, op, out), nil
	case []int16:
		return concat(c, n, op, out), nil
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

func concat[T any](c *compiler, n *graph.Node, op graph.Concat, out []T) func() {
	stretch := func(v *graph.Value) int {
		return graph.Type{Shape: v.Type.Shape[op.Axis:]}.Elements()
	}
	whole := stretch(n.Out)
	var parts [][]T
	var sizes []int
	for _, v := range n.In {
		parts, sizes = append(parts, c.data[v].([]T)), append(sizes, stretch(v))
	}
	return func() {
		at := 0
		for i := range len(out) / whole {
			for k, p := range parts {
				at += copy(out[at:], p[i*sizes[k]:(i+1)*sizes[k]])
			}
		}
	}
}

// resize returns what computes a Resize node: each element of the result from the one nearest to its place in x, or
// from the four around it.
func (c *compiler) resize(n *graph.Node, op graph.Resize) (func(), error) {
	if op.Fn == graph.Nearest {
		return c.rearrange(n)
	}
	x, out := n.In[0].Type.Shape, n.Out.Type.Shape
	var axes [2][]place
	for i := range axes {
		axes[i] = make([]place, out[1+i])
		for o := range axes[i] {
			axes[i][o] = c.place(op, o, x[1+i], out[1+i], n.Out.Type.DType)
		}
	}
	r := c.rounding(n)
	switch in := c.data[n.In[0]].(type) {
	case []float32:
		return bilinear(x, axes, in, c.data[n.Out].([]float32), mixFloat), nil
	case []int8:
		mix := mixQ10[int8]
		switch r {
		case quant.Single:
			mix = mixQ10Up[int8]
		case quant.Float32:
			return bilinearQ11(x, axes, in, c.data[n.Out].([]int8)), nil
		}
		return bilinear(x, axes, in, c.data[n.Out].([]int8), mix), nil
	case []int16:
		mix := mixQ10[int16]
		if r == quant.Single {
			mix = mixQ10Up[int16]
		}
		return bilinear(x, axes, in, c.data[n.Out].([]int16), mix), nil
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

// place is a position between the elements lo and hi along an axis: at share of the way, or at part/1024, or in
// XNNPACK part/2048, of it.
type place struct {
	lo, hi int
	share  float32
	part   int64
}

// place is where element o of the result, of size out, lies in x, of size in. The share may leave [0, 1] where the
// element beyond would be needed, and then lo is hi.
func (c *compiler) place(op graph.Resize, o, in, out int, d graph.DType) place {
	scale := float32(in) / float32(out)
	if op.AlignCorners && out > 1 {
		scale = float32(in-1) / float32(out-1)
	}
	switch {
	case op.Fn == graph.Nearest:
		at := float32(o)
		if op.HalfPixel {
			at += 0.5
		}
		at = float32(at * scale)
		if op.AlignCorners {
			return place{lo: min(int(math.Round(float64(at))), in-1)}
		}
		return place{lo: min(int(at), in-1)}
	case d == graph.Int8 && c.Rounding == quant.Float32: // XNNPACK
		at := float32(float32(o) * scale)
		if op.HalfPixel {
			at += float32(0.5*scale) - 0.5
		}
		at = min(max(at, 0), float32(in-1))
		lo := int(at)
		return place{lo: lo, hi: min(lo+1, in-1), part: int64(math.RoundToEven(float64(2048 * (at - float32(lo)))))}
	case d != graph.Float32:
		fixed := (1024*in + out/2) / out
		if op.AlignCorners && out > 1 {
			fixed = (1024*(in-1) + (out-1)/2) / (out - 1)
		}
		at := o * fixed
		if op.HalfPixel {
			at += fixed/2 - 512
		}
		lo := max(at/1024, 0)
		return place{lo: min(lo, in-1), hi: min((at+1023)/1024, in-1), part: int64(at - 1024*lo)}
	}
	at := float32(float32(o) * scale)
	if op.HalfPixel {
		at = float32((float32(o)+0.5)*scale) - 0.5
	}
	lo := max(int(math.Floor(float64(at))), 0)
	return place{lo: min(lo, in-1), hi: min(int(math.Ceil(float64(at))), in-1), share: at - float32(lo)}
}

// bilinear gives mix the four elements around each place: at (lo, lo), (lo, hi), (hi, lo) and (hi, hi).
func bilinear[T any](x []int, axes [2][]place, in, out []T, mix func(a, b, c, d T, y, x *place) T) func() {
	h, w, depth := x[1], x[2], x[3]
	return func() {
		at := 0
		for n := range x[0] {
			for i := range axes[0] {
				y := &axes[0][i]
				top, bottom := (n*h+y.lo)*w, (n*h+y.hi)*w
				for j := range axes[1] {
					x := &axes[1][j]
					for k := range depth {
						out[at] = mix(in[(top+x.lo)*depth+k], in[(top+x.hi)*depth+k],
							in[(bottom+x.lo)*depth+k], in[(bottom+x.hi)*depth+k], y, x)
						at++
					}
				}
			}
		}
	}
}

// bilinearQ11 is XNNPACK's: along the row, then between the rows, in steps of 1/2048; ties upward. What it makes along a row serves all
// rows of the result that need it: the two last made are kept.
func bilinearQ11(x []int, axes [2][]place, in, out []int8) func() {
	h, depth := x[1], x[3]
	length := len(axes[1]) * depth
	var made [2][]int32 // of x's rows that are even and that are odd
	for i := range made {
		made[i] = make([]int32, length)
	}
	return func() {
		of := [2]int{-1, -1}
		along := func(row int) []int32 {
			to := made[row%2]
			if of[row%2] == row {
				return to
			}
			of[row%2] = row
			from := in[row*x[2]*depth:]
			for j, p := range axes[1] {
				lo, hi, part := from[p.lo*depth:][:depth], from[p.hi*depth:][:depth], int32(p.part)
				for k, a := range lo {
					to[j*depth+k] = int32(a)<<11 + (int32(hi[k])-int32(a))*part
				}
			}
			return to
		}
		for n := range x[0] {
			for i, y := range axes[0] {
				top, part := along(n*h+y.lo), int32(y.part)
				bottom := top
				if y.hi != y.lo {
					bottom = along(n*h + y.hi)
				}
				row := out[(n*len(axes[0])+i)*length:][:length]
				for k, b := range bottom[:length] {
					row[k] = int8((top[k]<<11 + (b-top[k])*part + 1<<21) >> 22)
				}
			}
		}
	}
}

func mixFloat(a, b, c, d float32, y, x *place) float32 {
	sum := float32(float32(a*(1-y.share)) * (1 - x.share))
	sum += float32(float32(c*y.share) * (1 - x.share))
	sum += float32(float32(b*(1-y.share)) * x.share)
	return sum + float32(float32(d*y.share)*x.share)
}

// sumQ20 is the mean of the four, weighed in steps of 1/1024 either way, times 2^20.
func sumQ20[T int8 | int16](a, b, c, d T, y, x *place) int64 {
	return int64(a)*(1024-y.part)*(1024-x.part) + int64(c)*y.part*(1024-x.part) +
		int64(b)*(1024-y.part)*x.part + int64(d)*y.part*x.part
}

// mixQ10 is TFLite's reference kernel: ties away from zero.
func mixQ10[T int8 | int16](a, b, c, d T, y, x *place) T {
	sum := sumQ20(a, b, c, d, y, x)
	if sum > 0 {
		return T((sum + 1<<19) / (1 << 20))
	}
	return T((sum - 1<<19) / (1 << 20))
}

func mixQ10Up[T int8 | int16](a, b, c, d T, y, x *place) T {
	return T((sumQ20(a, b, c, d, y, x) + 1<<19) >> 20)
}
