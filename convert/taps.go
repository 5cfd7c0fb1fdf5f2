package convert

import (
	"slices"

	"mnet-edge/graph"
)

// What a layer sums up to before its activation is linear in what the taps of its window see. So is its mean, and the mean
// of each tap is enough to know it, for any weights.

// view is the geometry of a layer with weights. A fully connected layer sees images of one pixel.
type view struct{ graph.Geometry }

func newView(n *graph.Node) (v view) {
	v.Geometry, _ = n.Geometry()
	return v
}

// taps is the number of inputs under the window.
func (v *view) taps() int { return v.KH * v.KW * v.C }

// positions is the number of places where the window stands in one sample.
func (v *view) positions() int { return v.N * v.OH * v.OW }

// sees reports whether tap k of axis sees the input at pos from an output position o: o*stride - before + k*dilation = pos.
func (v *view) sees(axis, k, pos int) bool {
	o := pos + v.Before[axis] - k*v.Dilation[axis]
	return o >= 0 && o%v.Stride[axis] == 0 && o/v.Stride[axis] < [2]int{v.OH, v.OW}[axis]
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
	for pos := range [2]int{v.H, v.W}[axis] {
		var ks []int
		for k := range [2]int{v.KH, v.KW}[axis] {
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
	parts := fresh[S](len(t.rows.taps) * across * t.C)
	for range t.N {
		for _, row := range t.rows.of {
			for from, to := 0, 0; from < t.W; from = to {
				column := t.columns.of[from]
				for to = from + 1; to < t.W && t.columns.of[to] == column; {
					to++
				}
				addPixels(x[:(to-from)*t.C], parts[(row*across+column)*t.C:][:t.C])
				x = x[(to-from)*t.C:]
			}
		}
	}
	t.each(func(row, column, tap int) {
		part, to := parts[(row*across+column)*t.C:][:t.C], sums[tap*t.C:][:t.C]
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
					f(row, column, ky*t.KW+kx)
				}
			}
		}
	}
}

// seen is how many inputs of a channel each tap sees in one sample; at all other positions it sees padding.
func (t *tapSummer) seen() []int {
	seen := make([]int, t.KH*t.KW)
	t.each(func(row, column, tap int) { seen[tap] += t.N * t.rows.count(row) * t.columns.count(column) })
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
	group := v.Group(o)
	for tap := range v.KH * v.KW {
		means := mean[tap*v.C+group:][:v.Depth]
		for i, x := range w[v.Weight(o, tap):][:v.Depth] {
			sum += float64(float64(x) * means[i])
		}
	}
	return sum
}
