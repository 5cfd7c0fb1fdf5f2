package train

import (
	"context"
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

// What a quantization-aware step computes in float32 is what the network that convert makes of the checkpoint computes in integers: the two
// are nearer to each other than either is to the float network. They are not equal. Where a sum falls near the middle of two
// integers it may go to either, and what follows carries that on.
func TestQuantizedIsInt8(t *testing.T) {
	const images = 16
	set, c := patterns(160, images), tinyConfig(t)
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
	ranges, err := tr.rangesOf(&set.Train, images)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tr.compile("logits", images, func(g *Graph, pixels, labels *Node) []*Node {
		n := &net{spec: spec, input: trained.Input, weights: tr.parameters(g, dtypes.Float32)}
		return []*Node{n.quantizedLogits(pixels, ranges), n.logits(pixels), labels}
	})
	if err != nil {
		t.Fatal(err)
	}
	labels := make([]int32, images)
	inputs, err := tr.batch(p, set.Test.Pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.exec.Execute(append(inputs, tr.weights()...), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var simulated, float [images * 4]float32
	for i, to := range [][]float32{simulated[:], float[:]} {
		if err := out[i].ToFlatData(to); err != nil {
			t.Fatal(err)
		}
	}

	trained.Ranges = ranges
	integers, scale := int8Logits(t, trained, set.Train.Pixels, set.Test.Pixels)
	var apart, fromFloat float64
	for i, v := range integers {
		apart += math.Pow(float64(v-simulated[i]), 2)
		fromFloat += math.Pow(float64(v-float[i]), 2)
	}
	if !(apart < fromFloat/3) {
		t.Errorf("int8 is %.2g from its simulation, %.2g from the float network (squares, in steps of %v)", apart, fromFloat, scale)
	}
}

// int8Logits converts a checkpoint with its ranges and runs it on the images (N, 16, 16, 3).
func int8Logits(t *testing.T, c *model.Checkpoint, calibration, images []byte) (logits []float32, scale float32) {
	t.Helper()
	g, err := convert.Lower(c)
	if err != nil {
		t.Fatal(err)
	}
	ranges := map[string]graph.Interval{}
	for name, r := range c.Ranges {
		ranges[name] = graph.Interval{Min: r.Min, Max: r.Max}
	}
	samples := func(yield func([]float32) bool) {
		for pixels := range slices.Chunk(calibration, 16*16*3) {
			x := make([]float32, len(pixels))
			for i, v := range pixels {
				x[i] = (float32(v) - c.Input.Mean) / c.Input.Std
			}
			if !yield(x) {
				return
			}
		}
	}
	result, err := convert.Run(context.Background(), g, convert.Recipe{Scheme: convert.Int8}.Trained(ranges), samples, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := interp.New(result.Graph, interp.Options{Rounding: quant.Double})
	if err != nil {
		t.Fatal(err)
	}
	q := result.Graph.Outputs[0].Type.Quant
	scale, zero := q.At(0)
	for pixels := range slices.Chunk(images, 16*16*3) {
		x := make([]int8, len(pixels))
		for i, v := range pixels {
			x[i] = int8(int(v) - 128) // scale 1/Std, zero point Mean-128
		}
		out, err := m.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out[0].([]int8) {
			logits = append(logits, quant.Dequantize(int32(v), scale, zero))
		}
	}
	return logits, scale
}
