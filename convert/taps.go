package convert

import (
	"mnet-edge/graph"
)

// What a layer sums up to before its activation is linear in what the taps of its window see. So is its mean, and the mean
// of each tap is enough to know it, for any weights.

// view is the geometry of a layer with weights: an input (images, h, w, c), an output (images, oh, ow, ...). A fully
// connected layer sees images of one pixel.
type view struct {
	images, h, w, c   int
	oh, ow, kh, kw    int
	stride, dilation  [2]int // {height, width}
	before            [2]int // zeros before the data
	filters, depth    int    // output channels; input channels that each sees
	depthwise, square bool   // square: not grouped, each filter sees all channels
}

func newView(n *graph.Node) view {
	in, out, w := n.In[0].Type.Shape, n.Out.Type.Shape, n.In[1].Type.Shape
	slide := func(op graph.Window) view {
		v := view{images: in[0], h: in[1], w: in[2], c: in[3], oh: out[1], ow: out[2], kh: w[1], kw: w[2],
			stride: op.Stride, dilation: op.Dilation, filters: out[3]}
		for i := range 2 {
			_, v.before[i] = op.Out(i, in[1+i], w[1+i])
		}
		return v
	}
	var v view
	switch op := n.Op.(type) {
	case graph.Conv2D:
		v = slide(op.Window)
		v.depth = w[3]
	case graph.DepthwiseConv2D:
		v = slide(op.Window)
		v.depth, v.depthwise = 1, true
	default:
		v = view{images: n.In[0].Type.Elements() / w[1], h: 1, w: 1, c: w[1], oh: 1, ow: 1, kh: 1, kw: 1,
			stride: [2]int{1, 1}, dilation: [2]int{1, 1}, filters: w[0], depth: w[1]}
	}
	v.square = v.depth == v.c && !v.depthwise
	return v
}

// taps is the number of inputs under the window.
func (v *view) taps() int { return v.kh * v.kw * v.c }

// positions is the number of places where the window stands in one sample.
func (v *view) positions() int { return v.images * v.oh * v.ow }

// sees reports whether tap k of axis sees the input at pos from an output position o: o*stride - before + k*dilation = pos.
func (v *view) sees(axis, k, pos int) bool {
	o := pos + v.before[axis] - k*v.dilation[axis]
	return o >= 0 && o%v.stride[axis] == 0 && o/v.stride[axis] < [2]int{v.oh, v.ow}[axis]
}

// sumTaps adds to sums, (kh, kw, c), what each tap sees of one sample x over all positions; the padding counts as 0.
// A row is summed as a whole; less what a tap kx does not see of it, which is little, it is brought to every ky that sees it.
func sumTaps[T int16 | float32, S int64 | float64](v *view, x []T, sums []S) {
	row, whole := make([]S, v.c), make([]S, v.c)
	add := func(to []S, image, y, at int) {
		pixel := x[((image*v.h+y)*v.w+at)*v.c:][:len(to)]
		for i, q := range pixel {
			to[i] += S(q)
		}
	}
	unseen := make([][]int, v.kw) // the places of a row that a tap does not see
	for kx := range unseen {
		for at := range v.w {
			if !v.sees(1, kx, at) {
				unseen[kx] = append(unseen[kx], at)
			}
		}
	}
	for image := range v.images {
		for y := range v.h {
			var kys []int
			for ky := range v.kh {
				if v.sees(0, ky, y) {
					kys = append(kys, ky)
				}
			}
			if len(kys) == 0 {
				continue
			}
			clear(whole)
			for at := range v.w {
				add(whole, image, y, at)
			}
			for kx := range v.kw {
				clear(row)
				for _, at := range unseen[kx] {
					add(row, image, y, at)
				}
				for i, s := range whole {
					row[i] = s - row[i]
				}
				for _, ky := range kys {
					to := sums[(ky*v.kw+kx)*v.c:][:len(row)]
					for i, s := range row {
						to[i] += s
					}
				}
			}
		}
	}
}

// response is what filter o makes of the taps' means: the sum of w * mean.
func response[W int8 | float32](v *view, w []W, o int, mean []float64) (sum float64) {
	if v.depthwise {
		c := o / (v.filters / v.c)
		for tap := range v.kh * v.kw {
			sum += float64(float64(w[tap*v.filters+o]) * mean[tap*v.c+c])
		}
		return sum
	}
	group := o / (v.filters / (v.c / v.depth)) * v.depth
	for tap := range v.kh * v.kw {
		means := mean[tap*v.c+group:][:v.depth]
		for i, x := range w[(o*v.kh*v.kw+tap)*v.depth:][:v.depth] {
			sum += float64(float64(x) * means[i])
		}
	}
	return sum
}
