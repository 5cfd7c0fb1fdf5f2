package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mnet-edge/model"
)

// A value goes to the nearest of int8's 256, the gradient to all that were not cut off.
func TestOnGrid(t *testing.T) {
	x := []float32{-3, -1, -0.004, 0, 0.003, 0.0051, 0.7, 1.54, 1.56, 9}
	out := evaluate(t, func(in []*Node) []*Node {
		y := onGrid(in[0], model.Range{Min: -1, Max: 1.55}) // steps of 0.01, 0 at -28
		return []*Node{y, Gradient(ReduceAllSum(y), in[0])[0]}
	}, tensors.FromValue(x))
	near(t, "values", out[0], []float64{-1, -1, 0, 0, 0, 0.01, 0.7, 1.54, 1.55, 1.55}, 1e-6, 1e-6)
	near(t, "gradient", out[1], []float64{0, 1, 1, 1, 1, 1, 1, 1, 0, 0}, 0, 0)
}

// Each output's weights have 127 steps up to their largest, and the gradient passes unchanged.
func TestRoundedWeight(t *testing.T) {
	w := [][]float32{{1.27, 0}, {0.004, 0}, {-0.016, 254}}
	out := evaluate(t, func(in []*Node) []*Node {
		each, all := roundedWeight(in[0], true), roundedWeight(in[0], false)
		return []*Node{each, all, Gradient(ReduceAllSum(each), in[0])[0]}
	}, tensors.FromValue(w))
	near(t, "a scale an output", out[0], []float64{1.27, 0, 0, 0, -0.02, 254}, 1e-6, 1e-6)
	near(t, "one scale", out[1], []float64{2, 0, 0, 0, 0, 254}, 1e-6, 1e-6)
	near(t, "gradient", out[2], []float64{1, 1, 1, 1, 1, 1}, 0, 0)
}

// Folded and not rounded, the network is the one that evaluation runs.
func TestFoldedLogits(t *testing.T) {
	for _, net := range model.Nets {
		t.Run(string(net), func(t *testing.T) { testFoldedLogits(t, tinySpec(net)) })
	}
}

func testFoldedLogits(t *testing.T, spec model.Spec) {
	w := initialWeights(spec, 0.5, rand.New(rand.NewPCG(2, 2)))
	for name, p := range w { // statistics as a trained network has them
		if len(p.Shape) == 1 {
			for i := range p.Data {
				p.Data[i] += float32(i%3) / 4
			}
		}
		w[name] = p
	}
	rng := rand.New(rand.NewPCG(3, 3))
	pixels, labels := randomBatch(rng, 4, spec)
	tr := &trainer{backend: goBackend(t), spec: spec, input: testInput, params: deviceParams(spec)}
	if err := tr.upload(w, nil); err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	values := results(t, tr, pixels, labels, tr.weights(), func(g *Graph, pixels, _ *Node) []*Node {
		n := &net{spec: spec, input: testInput, weights: tr.parameters(g, dtypes.Float32)}
		folded := n.foldedLogits(n.pixels(pixels), func(_ string, x *Node) *Node { return x }, func(w *Node, _ bool) *Node { return w })
		return []*Node{n.logits(pixels), folded}
	})
	near(t, "folded logits", values[1], reals(values[0]), 1e-4, 1e-4)
}

// A quantization-aware run goes on from another's best weights, keeps the statistics, moves the weights, and stores the ranges of
// what int8 stores; interrupted and resumed, it ends with the same.
func TestRunQuantized(t *testing.T) {
	set := patterns(160, 40)
	first := tinyConfig(t)
	first.Epochs, first.Batch, first.LR = 6, 16, 0.1
	if _, err := Run(context.Background(), first, set); err != nil {
		t.Fatal(err)
	}
	c := first
	c.Out, c.QAT, c.Preset, c.LR = filepath.Join(t.TempDir(), "qat"), first.Out, PresetQAT, 0
	c.Epochs = 2
	whole, err := Run(context.Background(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	before, _, err := model.Load(first.Out)
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := model.Load(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Spec.Layers()); len(after.Ranges) != n { // every convolution, and the average for the linear layer
		t.Errorf("%d ranges of %d layers", len(after.Ranges), n)
	}
	for name, r := range after.Ranges {
		if !(r.Min < r.Max) || math.Abs(float64(r.Max)) > 100 {
			t.Errorf("range of %s is %v", name, r)
		}
	}
	if card := string(mustRead(t, c.Out, cardFile)); !strings.Contains(card, "| begun with | net D") || !strings.Contains(card, "int8's rounding in the step") {
		t.Errorf("card.md does not say what the run is:\n%s", card)
	}
	moved := 0
	for _, p := range c.Spec.Params() {
		same := reflect.DeepEqual(before.Weights[p.Name], after.Weights[p.Name])
		if !p.Trainable && !same {
			t.Errorf("%s is another", p.Name)
		}
		if p.Trainable && !same {
			moved++
		}
	}
	if moved < 10 {
		t.Errorf("only %d weights moved", moved)
	}

	// What a crop shows beyond an image's edges is zero behind the other run's normalization, whatever this data's mean would be.
	bright := *set
	bright.Train.Pixels = bytes.Repeat([]byte{200}, len(set.Train.Pixels))
	r := &run{c: c, recipe: Recipe{Batch: 16, Crop: 4}, set: &bright, trained: before}
	if err := r.prepareData(); err != nil {
		t.Fatal(err)
	}
	gray := byte(before.Input.Mean)
	for b := range r.loader.Epoch(0, 0) {
		if bytes.IndexByte(b.Pixels, gray) < 0 {
			t.Errorf("no pixel is %d, the mean of the run gone on from", gray)
		}
		break
	}

	again := c
	again.Out = filepath.Join(t.TempDir(), "again")
	interrupt(t, again, set)
	again.Resume = true
	resumed, err := Run(context.Background(), again, set)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := model.Load(again.Out)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(second.Weights, after.Weights) || !reflect.DeepEqual(second.Ranges, after.Ranges) || resumed.TestCorrect != whole.TestCorrect {
		t.Error("the resumed run ended with other weights or ranges")
	}
}

func TestQuantizedRefused(t *testing.T) {
	set := patterns(32, 8)
	c := tinyConfig(t)
	c.Preset = PresetQAT
	if _, err := Run(context.Background(), c, set); !errors.Is(err, ErrConfig) {
		t.Errorf("preset qat without a run: error %v", err)
	}
	c.QAT = filepath.Join(t.TempDir(), "nowhere")
	refused(t, "a run that is not there", c, set, model.ErrCheckpoint)
	c.QAT = brief(t, set)
	others, renamed := *set, *set
	others.SHA256 = "of other images"
	refused(t, "other data", c, &others, ErrData)
	renamed.Classes = []string{"rows", "columns", "dark", "slants"}
	refused(t, "other classes", c, &renamed, ErrData)
	c.Spec.Width *= 2
	refused(t, "another net", c, set, model.ErrCheckpoint)
}
