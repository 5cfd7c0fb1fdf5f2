package convert

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/quant"
)

// Every layer is there, channel by channel, with what its outputs took of real values. What int8 can hold of a layer that ends in a ReLU ends
// where the largest of its channels does, where the range was taken from the same samples.
func TestRanges(t *testing.T) {
	c := checkpoint(nil)
	samples := images(c, 8)
	for _, recipe := range []Recipe{{Scheme: Float32}, {Scheme: Int8, Observer: "minmax", Equalize: Off, CorrectBias: Off, RoundWeights: Off}} {
		r := convertTo(t, c, recipe)
		layers, err := Ranges(context.Background(), r.Graph, samples)
		if err != nil {
			t.Fatal(err)
		}
		if want := len(c.Spec.Layers()); len(layers) < want {
			t.Fatalf("%d layers, want at least %d", len(layers), want)
		}
		taken := tapped(t, r.Graph, samples)
		for _, l := range layers {
			if len(l.Weights) == 0 || len(l.Outputs) != len(l.Weights) {
				t.Errorf("%s: %d weights' channels, %d outputs'", l.Name, len(l.Weights), len(l.Outputs))
			}
			largest := float32(math.Inf(-1))
			for i, o := range l.Outputs {
				largest = max(largest, o.Max)
				if want := taken[l.Name][i]; o != want || l.Weights[i].Min > l.Weights[i].Max {
					t.Errorf("%s %s: channel %d: weights %v, outputs %v, want %v", recipe.Scheme, l.Name, i, l.Weights[i], o, want)
				}
			}
			if step := (l.Span.Max - l.Span.Min) / 255; l.Span.Min >= 0 && math.Abs(float64(l.Span.Max-largest)) > 8*float64(step) {
				t.Errorf("%s %s: up to %v is held, the largest output is %v", recipe.Scheme, l.Name, l.Span.Max, largest)
			}
		}
	}
}

// tapped are the smallest and the largest real value of each channel of each value, over the samples.
func tapped(t *testing.T, g *graph.Graph, samples iter.Seq[[]float32]) map[string][]graph.Interval {
	t.Helper()
	all := map[string][]graph.Interval{}
	note := func(v *graph.Value, i int, x float32) {
		channels := v.Type.Shape[len(v.Type.Shape)-1]
		if all[v.Name] == nil {
			all[v.Name] = slices.Repeat([]graph.Interval{{Min: float32(math.Inf(1)), Max: float32(math.Inf(-1))}}, channels)
		}
		r := &all[v.Name][i%channels]
		r.Min, r.Max = min(r.Min, x), max(r.Max, x)
	}
	observed(t, g, samples, interp.Options{Rounding: quant.Float32, Tap: func(v *graph.Value, data any) {
		switch d := data.(type) {
		case []float32:
			for i, x := range d {
				note(v, i, x)
			}
		case []int8:
			scale, zero := v.Type.Quant.At(0)
			for i, q := range d {
				note(v, i, quant.Dequantize(int32(q), scale, zero))
			}
		}
	}})
	return all
}

func TestRangesWantSamples(t *testing.T) {
	c := checkpoint(nil)
	if _, err := Ranges(context.Background(), folded(t, c), images(c, 0)); !errors.Is(err, ErrCalibration) {
		t.Errorf("%v, want ErrCalibration", err)
	}
}

// Whatever the mean, pixels become integers without one being clipped. A whole mean has them exactly; no other has most of them in the middle
// between two, where programs that round differently part.
func TestPixelsMeetTheGrid(t *testing.T) {
	for _, c := range []struct {
		mean, std float32
		squares   float64 // the most that the mean of squared errors may be, in steps
	}{{121, 64.15, 1e-8}, {0, 255, 1e-8}, {103.94, 57.1, 0.004}, {127.5, 127.5, 1./12 + 1e-3}, {123.68, 58.4, 1./12 + 1e-3}} {
		g := graph.New("pixels")
		g.Meta.Mean, g.Meta.Std = []float32{c.mean}, []float32{c.std}
		r, ok := pixelRange(g)
		if !ok {
			t.Fatalf("mean %v: no range", c.mean)
		}
		scale, zero := rangeQuant(graph.Int8, r).At(0)
		squares, middle := 0., 0
		for p := range 256 {
			q := float64((float32(p)-c.mean)/c.std)/float64(scale) + float64(zero)
			off := math.Abs(q - math.Round(q))
			squares += off * off / 256
			if off > 0.495 {
				middle++
			}
			if off > 0.5 || math.Round(q) < -128 || math.Round(q) > 127 {
				t.Errorf("mean %v: pixel %d becomes %v", c.mean, p, q)
			}
		}
		if squares > c.squares || middle > 4 {
			t.Errorf("mean %v: mean of squares %.4f, %d pixels between two integers", c.mean, squares, middle)
		}
	}
}
