package convert

import (
	"context"
	"errors"
	"math"
	"testing"

	"mnet-edge/graph"
)

// Every layer is there, channel by channel; what its channels take lies in what its integers can hold, and touches an end
// of it where the range was taken from the same samples.
func TestRanges(t *testing.T) {
	c := checkpoint(nil)
	for _, recipe := range []Recipe{{Scheme: Float32}, {Scheme: Int8, Observer: "minmax", Equalize: Off, CorrectBias: Off, RoundWeights: Off}} {
		r := convertTo(t, c, recipe)
		layers, err := Ranges(context.Background(), r.Graph, images(c, 4))
		if err != nil {
			t.Fatal(err)
		}
		if want := len(c.Spec.Layers()); len(layers) < want {
			t.Fatalf("%d layers, want at least %d", len(layers), want)
		}
		for _, l := range layers {
			if len(l.Weights) == 0 || len(l.Outputs) != len(l.Weights) {
				t.Errorf("%s: %d weights' channels, %d outputs'", l.Name, len(l.Weights), len(l.Outputs))
			}
			for i, o := range l.Outputs {
				if o.Min > o.Max || o.Min < l.Span.Min || o.Max > l.Span.Max || l.Weights[i].Min > l.Weights[i].Max {
					t.Errorf("%s %s: channel %d: weights %v, outputs %v within %v", recipe.Scheme, l.Name, i, l.Weights[i], o, l.Span)
				}
			}
		}
	}
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
