package convert

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// A layer that is kept is float32 between DEQUANTIZE and QUANTIZE, and loses nothing; the others stay as they were.
func TestKeepFloat(t *testing.T) {
	c := checkpoint(nil)
	samples := images(c, 8)
	want := outputs(t, folded(t, c), samples)
	all := func(r *Recipe) {
		r.FloatIO = true
		for _, n := range folded(t, c).Nodes {
			r.KeepFloat = append(r.KeepFloat, n.Out.Name)
		}
	}
	none, some, most := convertTo(t, c, plain.with(func(r *Recipe) { r.FloatIO = true })), convertTo(t, c, plain.with(func(r *Recipe) {
		r.FloatIO, r.KeepFloat = true, []string{"layers.0.conv1", "layers.3.conv2"}
	})), convertTo(t, c, plain.with(all))
	if db := snr(want, outputs(t, most.Graph, samples)); db < 100 {
		t.Errorf("%.2f dB with all layers in float32", db)
	}
	if db := snr(want, outputs(t, some.Graph, samples)); db < 30 {
		t.Errorf("%.2f dB with two layers in float32", db)
	}
	if len(some.Layers) != len(none.Layers)-2 {
		t.Errorf("%d layers reported, of %d", len(some.Layers), len(none.Layers))
	}
	text := some.Graph.String()
	for _, line := range []string{"layers.0.conv1 = depthwise_conv2d(conv1.float32, ", "layers.3.conv2.int8 = quantize(layers.3.conv2)"} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

// Where no layer is quantized the input is not either, which EachAlone would take for each layer's harm: pixels around a mean of 127.5 don't meet the grid.
func TestKeepInput(t *testing.T) {
	c := checkpoint(nil)
	c.Input.Mean = 127.5
	samples := images(c, 8)
	res := convertTo(t, c, plain.with(func(r *Recipe) {
		r.FloatIO, r.keepInput = true, true
		for _, n := range folded(t, c).Nodes {
			r.KeepFloat = append(r.KeepFloat, n.Out.Name)
		}
	}))
	if db := snr(outputs(t, folded(t, c), samples), outputs(t, res.Graph, samples)); !math.IsInf(db, 1) {
		t.Errorf("%.1f dB with nothing quantized", db)
	}
}

// The layer with the noisiest weights does the most harm by itself.
func TestEachAlone(t *testing.T) {
	c := checkpoint(nil)
	g := folded(t, c)
	before := g.String()
	alone, err := EachAlone(context.Background(), g, Recipe{Scheme: Int4, Observer: "minmax", Equalize: Off, CorrectBias: Off, RoundWeights: Off}, images(c, 8))
	if err != nil {
		t.Fatal(err)
	}
	if g.String() != before {
		t.Error("the graph was changed")
	}
	layers := 0
	for _, n := range g.Nodes {
		if weighted(n) {
			layers++
		}
	}
	if len(alone) != layers {
		t.Fatalf("%d layers of %d", len(alone), layers)
	}
	worst := slices.MinFunc(alone, func(a, b Alone) int { return int(1000 * (a.OutputSNR - b.OutputSNR)) })
	for _, a := range alone {
		if a.OutputSNR < 5 || a.Agreement < 0 || a.Agreement > 1.0001 {
			t.Errorf("%+v", a)
		}
	}
	// int4 is for convolutions, but not for depthwise ones and dense layers.
	for _, n := range g.Nodes {
		if n.Out.Name == worst.Name && n.Op.Name() != "conv2d" {
			t.Errorf("%+v, a %s, is the worst", worst, n.Op.Name())
		}
	}
}

// Ranges that a network came with are not used layer by layer either, and layers that share a name are not told apart by it.
func TestEachAloneRefuses(t *testing.T) {
	var found [2][]Alone
	for i, ranged := range []bool{false, true} {
		g, samples := ofAnotherTool(ranged)
		var err error
		if found[i], err = EachAlone(context.Background(), g, plain, each(samples)); err != nil {
			t.Fatal(err)
		}
		g.Nodes[0].Out.Name = "y"
		if _, err := EachAlone(context.Background(), g, plain, each(samples)); !errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), `"y"`) {
			t.Errorf("two layers of one name: %v", err)
		}
	}
	if !slices.Equal(found[0], found[1]) || len(found[0]) != 1 {
		t.Errorf("%+v, with ranges of another tool %+v", found[0], found[1])
	}
}

// What a layer's report says of its weights and its bias is true of those that the file has.
func TestReportOfRefinedWeights(t *testing.T) {
	c := checkpoint(nil)
	var reports [2][]LayerReport
	for i, refined := range []Choice{Off, On} {
		res := convertTo(t, c, plain.with(func(r *Recipe) { r.RoundWeights, r.CorrectBias = refined, refined }))
		reports[i] = res.Layers
	}
	rounded, corrected := 0, 0
	for i, l := range reports[1] {
		if l.WeightSNR < reports[0][i].WeightSNR {
			rounded++ // nearest rounding is the nearest
		}
		if l.BiasHeadroom != reports[0][i].BiasHeadroom {
			corrected++
		}
		if l.WeightSNR > reports[0][i].WeightSNR+1e-9 {
			t.Errorf("%s: weights nearer than the nearest, %v and %v dB", l.Name, l.WeightSNR, reports[0][i].WeightSNR)
		}
	}
	if rounded < len(reports[1])/2 || corrected < len(reports[1])/2 {
		t.Errorf("of %d layers %d report weights and %d a bias that were refined", len(reports[1]), rounded, corrected)
	}
}
