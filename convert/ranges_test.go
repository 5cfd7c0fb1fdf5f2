package convert

import (
	"context"
	"errors"
	"testing"
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
