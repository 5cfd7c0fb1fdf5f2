package convert

import (
	"slices"

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

// classes groups the positions of an axis of the input by the taps that see them: there are few such groups, since but for
// the borders positions are alike.
type classes struct {
	of   []int   // of each position
	taps [][]int // of each class
}

// count is the number of positions of a class.
func (c *classes) count(class int) (n int) {
	for _, of := range c.of {
		if of == class {
			n++
		}
	}
	return n
}

func (v *view) classes(axis int) (c classes) {
	for pos := range [2]int{v.h, v.w}[axis] {
		var ks []int
		for k := range [2]int{v.kh, v.kw}[axis] {
			if v.sees(axis, k, pos) {
				ks = append(ks, k)
			}
		}
		i := slices.IndexFunc(c.taps, func(other []int) bool { return slices.Equal(other, ks) })
		if i < 0 {
			i, c.taps = len(c.taps), append(c.taps, ks)
		}
		c.of = append(c.of, i)
	}
	return c
}

// tapSummer sums up what the taps of a layer see of samples.
type tapSummer struct {
	view
	rows, columns classes
}

func newTapSummer(v view) *tapSummer { return &tapSummer{v, v.classes(0), v.classes(1)} }

// addTaps adds to sums, (kh, kw, c), what each tap sees of one sample x over all positions; the padding counts as 0. Each input is
// added once, to the sum of those that the same taps see; what a tap sees is some of these sums.
func addTaps[T int8 | int16 | float32, S int64 | float64](t *tapSummer, x []T, sums []S) {
	across := len(t.columns.taps)
	parts := fresh[S](len(t.rows.taps) * across * t.c)
	for range t.images {
		for _, row := range t.rows.of {
			for from, to := 0, 0; from < t.w; from = to {
				column := t.columns.of[from]
				for to = from + 1; to < t.w && t.columns.of[to] == column; {
					to++
				}
				addPixels(x[:(to-from)*t.c], parts[(row*across+column)*t.c:][:t.c])
				x = x[(to-from)*t.c:]
			}
		}
	}
	t.each(func(row, column, tap int) {
		part, to := parts[(row*across+column)*t.c:][:t.c], sums[tap*t.c:][:t.c]
		for i, s := range part {
			to[i] += s
		}
	})
}

// addPixels adds the channels of pixels to sums, four pixels at a time while there are as many.
func addPixels[T int8 | int16 | float32, S int64 | float64](x []T, sums []S) {
	c := len(sums)
	for ; len(x) >= 4*c; x = x[4*c:] {
		a, b, d, e := x[:c], x[c:][:c], x[2*c:][:c], x[3*c:][:c]
		for i := range sums {
			sums[i] += (S(a[i]) + S(b[i])) + (S(d[i]) + S(e[i]))
		}
	}
	for ; len(x) >= c; x = x[c:] {
		for i, q := range x[:c] {
			sums[i] += S(q)
		}
	}
}

// each calls f for each tap that sees the inputs of a class of rows and one of columns.
func (t *tapSummer) each(f func(row, column, tap int)) {
	for row, kys := range t.rows.taps {
		for column, kxs := range t.columns.taps {
			for _, ky := range kys {
				for _, kx := range kxs {
					f(row, column, ky*t.kw+kx)
				}
			}
		}
	}
}

// seen is how many inputs of a channel each tap sees in one sample; at all other positions it sees padding.
func (t *tapSummer) seen() []int {
	seen := make([]int, t.kh*t.kw)
	t.each(func(row, column, tap int) { seen[tap] += t.images * t.rows.count(row) * t.columns.count(column) })
	return seen
}

// fresh is n zeros that are written once before anybody adds to them. A page that is read first, as by +=, is at first the
// system's page of zeros; writing it then is a second fault, at which other processors are interrupted.
func fresh[T any](n int) []T {
	s := make([]T, n)
	clear(s)
	return s
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
