package interp

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The packed kernels against the plain ones, bit for bit, on shapes drawn at random: every number of channels around
// the panel's width, groups, strides, dilations, borders.
func TestPackedEqualsPlain(t *testing.T) {
	for _, d := range []graph.DType{graph.Float32, graph.Int8} {
		t.Run(d.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				g := drawLayer(t, d)
				if err := g.Check(); err != nil {
					t.Skip(err) // a window that does not fit
				}
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 0))
				rounding := quant.Rounding(rapid.IntRange(0, int(quant.Float32)).Draw(t, "rounding"))
				in := randomLike(r, g.Inputs[0])
				var got [2]any
				for i, plain := range []bool{true, false} {
					m, err := New(g, Options{Rounding: rounding, plain: plain})
					if err != nil {
						t.Fatal(err)
					}
					out, err := m.Run(in)
					if err != nil {
						t.Fatal(err)
					}
					got[i] = out[0]
				}
				if at := firstDifference(got[0], got[1]); at != "" {
					t.Fatalf("%v: %s", g.Outputs[0].Type.Shape, at)
				}
			})
		})
	}
}

// drawLayer is a graph of one layer with weights.
func drawLayer(t *rapid.T, d graph.DType) *graph.Graph {
	small := func(lo, hi int, what string) int { return rapid.IntRange(lo, hi).Draw(t, what) }
	window := func() graph.Window {
		return graph.Window{
			Stride:   [2]int{small(1, 3, "sy"), small(1, 3, "sx")},
			Dilation: [2]int{small(1, 2, "dy"), small(1, 3, "dx")},
			Padding:  graph.Padding(small(0, 1, "padding")),
		}
	}
	act := graph.Activation(small(0, int(graph.ReLU6), "act"))
	n, h, w, kh, kw := small(1, 2, "n"), small(1, 7, "h"), small(1, 13, "w"), small(1, 4, "kh"), small(1, 4, "kw")
	var op graph.Op
	var x, shape []int
	switch small(0, 2, "op") {
	case 0:
		groups, depth, filters := small(1, 3, "groups"), small(1, 9, "depth"), small(1, 70, "filters")
		op = graph.Conv2D{Window: window(), Act: act}
		x, shape = []int{n, h, w, groups * depth}, []int{groups * filters, kh, kw, depth}
	case 1:
		c, mult := small(1, 40, "c"), small(1, 2, "multiplier")
		op = graph.DepthwiseConv2D{Window: window(), Act: act}
		x, shape = []int{n, h, w, c}, []int{1, kh, kw, c * mult}
	default:
		in, out := small(1, 40, "in"), small(1, 70, "out")
		op = graph.FullyConnected{Act: act}
		x, shape = []int{n, in}, []int{out, in}
	}
	g := graph.New("layer")
	xt := floatType(x...)
	g.Level = graph.Folded
	if d == graph.Int8 {
		xt = int8Type(0.05, int32(zeroPoint(t, "zero in")), x...)
		g.Level = graph.Quantized
	}
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "weights"), 0))
	perChannel, zero := rapid.Bool().Draw(t, "per channel"), zeroPoint(t, "zero out")
	g.Outputs = []*graph.Value{randomLayer(r, g, "y", op, g.Input("x", xt), shape, perChannel, zero)}
	return g
}

func zeroPoint(t *rapid.T, what string) int32 {
	return rapid.OneOf(rapid.SampledFrom([]int32{-128, 0, 127}), rapid.Int32Range(-128, 127)).Draw(t, what)
}

// firstDifference says where two tensors differ in a bit, "" if nowhere.
func firstDifference(a, b any) string {
	switch a := a.(type) {
	case []float32:
		return difference(patterns(a), patterns(b.([]float32)))
	case []int8:
		return difference(a, b.([]int8))
	case []uint8:
		return difference(a, b.([]uint8))
	case []int16:
		return difference(a, b.([]int16))
	}
	return fmt.Sprintf("%T", a)
}

func patterns(s []float32) []uint32 {
	b := make([]uint32, len(s))
	for i, x := range s {
		b[i] = math.Float32bits(x)
	}
	return b
}

func difference[T comparable](a, b []T) string {
	for i := range a {
		if a[i] != b[i] {
			return fmt.Sprintf("element %d of %d: %v, plain %v", i, len(a), b[i], a[i])
		}
	}
	return ""
}
