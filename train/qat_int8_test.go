package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mnet-edge/convert"
	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// What a quantization-aware step computes in float32 is what the network that convert makes of the checkpoint computes in integers: the
// same numbers, but where a sum falls near the middle between two. What follows carries that on, so that the last of a few dozen layers are
// no nearer to the integers than the float network's are, and the first ones tell.
func TestQuantizedIsInt8(t *testing.T) {
	for _, enlarge := range []int{0, 2} {
		t.Run(fmt.Sprint("enlarge ", enlarge), func(t *testing.T) { quantizedIsInt8(t, enlarge) })
	}
}

func quantizedIsInt8(t *testing.T, enlarge int) {
	const images = 16
	set, c := patterns(160, images), tinyConfig(t)
	c.Spec.Enlarge = enlarge
	c.Spec.Width, c.Epochs, c.Batch, c.LR = 1./8, 4, 16, 0.1 // with 2 channels a layer, each single step shows
	if _, err := Run(context.Background(), c, set); err != nil {
		t.Fatal(err)
	}
	trained, _, err := model.Load(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	spec := c.Spec
	tr := &trainer{backend: goBackend(t), spec: spec, input: trained.Input, params: deviceParams(spec)}
	if err := tr.upload(trained.Weights, nil); err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	if trained.Ranges, err = tr.rangesOf(&set.Train, images); err != nil {
		t.Fatal(err)
	}
	var names []string
	got := results(t, tr, set.Test.Pixels, make([]int32, images), tr.weights(), func(g *Graph, pixels, _ *Node) []*Node {
		n := &net{spec: spec, input: trained.Input, weights: tr.parameters(g, dtypes.Float32)}
		var simulated, float []*Node
		n.foldedLogits(n.wholePixels(pixels), func(name string, x *Node) *Node {
			names = append(names, name)
			simulated = append(simulated, onGrid(x, trained.Ranges[name]))
			return simulated[len(simulated)-1]
		}, roundedWeight)
		n.foldedLogits(n.pixels(pixels), func(name string, x *Node) *Node {
			float = append(float, onGrid(x, trained.Ranges[name]))
			return x
		}, func(w *Node, _ bool) *Node { return w })
		return append(simulated, float...)
	})
	want := int8Activations(t, trained, set.Train.Pixels, set.Test.Pixels)
	same := func(name string, got []float32) float64 {
		integers := want[name]
		if len(got) != len(integers) {
			t.Fatalf("%s: %d values, int8 has %d", name, len(got), len(integers))
		}
		r, equal := trained.Ranges[name], 0
		scale, zero := quant.Asymmetric(r.Min, r.Max, quant.Int8Min, quant.Int8Max)
		for i, v := range got {
			if math.Round(float64(v/scale))+float64(zero) == float64(integers[i]) {
				equal++
			}
		}
		return float64(equal) / float64(len(got))
	}
	for i, name := range names[:6] {
		simulated, float := same(name, got[i]), same(name, got[len(names)+i])
		if !(1-simulated < (1-float)/10) {
			t.Errorf("%s: the simulation has %.2f %% of int8's numbers, the float network %.2f %%", name, 100*simulated, 100*float)
		}
	}
}

// int8Activations converts a checkpoint with its ranges, runs it on the images (N, 16, 16, 3) and gives the activations that have a range.
func int8Activations(t *testing.T, c *model.Checkpoint, calibration, images []byte) map[string][]int8 {
	t.Helper()
	g, err := convert.Lower(c)
	if err != nil {
		t.Fatal(err)
	}
	ranges := map[string]graph.Interval{}
	for name, r := range c.Ranges {
		ranges[name] = graph.Interval{Min: r.Min, Max: r.Max}
	}
	result, err := convert.Run(context.Background(), g, convert.Recipe{Scheme: convert.Int8}.Trained(ranges), normalized(c.Input, calibration, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]int8{}
	m, err := interp.New(result.Graph, interp.Options{Rounding: quant.Float32, Tap: func(v *graph.Value, data any) {
		if _, ok := ranges[v.Name]; ok {
			all[v.Name] = append(all[v.Name], data.([]int8)...)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for pixels := range slices.Chunk(images, 16*16*3) {
		x := make([]int8, len(pixels))
		for i, v := range pixels {
			x[i] = int8(int(v) - 128) // scale 1/Std, zero point Mean-128
		}
		if _, err := m.Run(x); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
