package convert

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// Samples that no good ranges can come from are used, and named.
func TestDoubts(t *testing.T) {
	c := checkpoint(nil)
	size := c.Spec.Size * c.Spec.Size * 3
	one := func(x float32) []float32 { return slices.Repeat([]float32{x}, size) }
	for _, test := range []struct {
		name    string
		samples [][]float32
		want    []string
	}{
		{"one", slices.Collect(images(c, 1)), []string{"1 calibration samples are few"}},
		{"constant", [][]float32{one(0.5), one(1)}, []string{"2 calibration samples are few", "2 of 2 calibration samples are of one value"}},
		{"enough", slices.Collect(images(c, 32)), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := lower(t, c)
			res, err := Run(context.Background(), g, plain.with(func(r *Recipe) { r.Scheme = Int8 }), slices.Values(test.samples), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := res.Calibration.Warnings
			for i, want := range test.want {
				if i >= len(got) || !strings.HasPrefix(got[i], want) {
					t.Errorf("%q, want %q", got, want)
				}
			}
			if test.want == nil && len(got) > 0 {
				t.Errorf("%q", got)
			}
		})
	}
}

// A layer that is silent over the samples is named, and gets a scale that works.
func TestEmptyRange(t *testing.T) {
	c := checkpoint(nil)
	clear(c.Weights["layers.2.bn1.weight"].Data)
	clear(c.Weights["layers.2.bn1.bias"].Data)
	res := convertTo(t, c, plain)
	found := slices.ContainsFunc(res.Calibration.Warnings, func(w string) bool {
		return strings.HasPrefix(w, `"layers.2.conv1" was 0 throughout`)
	})
	if !found {
		t.Errorf("%q", res.Calibration.Warnings)
	}
	for _, n := range res.Graph.Nodes {
		if n.Out.Name == "layers.2.conv1" && !(n.Out.Type.Quant.Scale[0] > 0) {
			t.Errorf("%v", n.Out.Type)
		}
	}
}
