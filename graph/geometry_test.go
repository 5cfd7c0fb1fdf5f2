package graph

import "testing"

// Each operator with a window, over x (1, 5, 7, 4).
func TestGeometry(t *testing.T) {
	type want struct{ n, h, w, c, oh, ow, oc, kh, kw, depth, above, left int }
	f32 := func(shape ...int) Type { return Type{DType: Float32, Shape: shape} }
	weight := func(shape ...int) *Value {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return Const("w", f32(shape...), make([]float32, n))
	}
	strided := Dense(2, Same)
	for name, c := range map[string]struct {
		op     Op
		x      []int
		weight []int
		want   want
		axis   int // of the weight; -1: none
	}{
		"conv":    {Conv2D{Window: strided}, []int{1, 5, 7, 4}, []int{6, 3, 3, 4}, want{1, 5, 7, 4, 3, 4, 6, 3, 3, 4, 1, 1}, 0},
		"grouped": {Conv2D{Window: strided}, []int{1, 5, 7, 4}, []int{6, 3, 3, 2}, want{1, 5, 7, 4, 3, 4, 6, 3, 3, 2, 1, 1}, 0},
		"even":    {Conv2D{Window: strided}, []int{1, 6, 8, 4}, []int{6, 3, 3, 4}, want{1, 6, 8, 4, 3, 4, 6, 3, 3, 4, 0, 0}, 0},
		"depth":   {DepthwiseConv2D{Window: strided}, []int{1, 5, 7, 4}, []int{1, 3, 3, 8}, want{1, 5, 7, 4, 3, 4, 8, 3, 3, 1, 1, 1}, 3},
		"full":    {FullyConnected{}, []int{3, 8}, []int{5, 8}, want{3, 1, 1, 8, 1, 1, 5, 1, 1, 8, 0, 0}, 0},
		"pool":    {Pool{Window: strided, Size: [2]int{2, 2}}, []int{1, 5, 7, 4}, nil, want{1, 5, 7, 4, 3, 4, 4, 2, 2, 1, 0, 0}, -1},
		"transposed": {TransposeConv2D{Window: strided, Size: [2]int{5, 7}}, []int{1, 3, 4, 6}, []int{4, 3, 3, 6},
			want{1, 5, 7, 4, 3, 4, 6, 3, 3, 4, 1, 1}, -1},
		"activate": {Activate{Act: ReLU}, []int{1, 5, 7, 4}, nil, want{}, -1},
	} {
		g := New(name)
		in := []*Value{g.Input("x", f32(c.x...))}
		if c.weight != nil {
			in = append(in, weight(c.weight...))
		}
		n := g.Apply("y", c.op, in...).Def
		got, ok := n.Geometry()
		seen := want{got.N, got.H, got.W, got.C, got.OH, got.OW, got.OC, got.KH, got.KW, got.Depth, got.Before[0], got.Before[1]}
		if seen != c.want || ok != (c.want != want{}) {
			t.Errorf("%s: %+v, %v, want %+v", name, seen, ok, c.want)
		}
		if axis, ok := n.OutputAxis(); ok != (c.axis >= 0) || ok && axis != c.axis {
			t.Errorf("%s: output axis %d, %v", name, axis, ok)
		}
	}
}

// What taps see, and which channels a filter of a group.
func TestGeometryAt(t *testing.T) {
	g := Geometry{H: 5, W: 5, C: 6, OC: 4, Depth: 3, Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}, Before: [2]int{1, 2}}
	for _, c := range []struct {
		axis, o, k, pos int
		ok              bool
	}{{0, 0, 0, -1, false}, {0, 0, 1, 0, true}, {0, 2, 1, 4, true}, {0, 2, 2, 5, false}, {1, 0, 0, -2, false}, {1, 3, 1, 3, true}} {
		if pos, ok := g.At(c.axis, c.o, c.k); pos != c.pos || ok != c.ok {
			t.Errorf("axis %d, position %d, tap %d: %d, %v; want %d, %v", c.axis, c.o, c.k, pos, ok, c.pos, c.ok)
		}
	}
	for o, want := range []int{0, 0, 3, 3} {
		if got := g.Group(o); got != want {
			t.Errorf("channel %d sees channels from %d, want %d", o, got, want)
		}
	}
}
