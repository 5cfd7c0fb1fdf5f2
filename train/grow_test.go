package train

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mnet-edge/convert"
	"mnet-edge/dataset"
	"mnet-edge/graph/interp"
	"mnet-edge/model"
)

// doubled is images (N, size, size, 3) with four pixels for each of theirs.
func doubled(pixels []byte, size int) []byte {
	big := make([]byte, 4*len(pixels))
	for p := range len(big) / 3 {
		x, y, image := p%(2*size), p/(2*size)%(2*size), p/(4*size*size)
		copy(big[3*p:][:3], pixels[3*((image*size+y/2)*size+x/2):])
	}
	return big
}

// doubledSet is a set of 16x16 images at twice the size.
func doubledSet(set *dataset.Set) *dataset.Set {
	big := *set
	for _, s := range []*dataset.Split{&big.Train, &big.Test} {
		s.Pixels, s.H, s.W = doubled(s.Pixels, s.H), 2*s.H, 2*s.W
	}
	return &big
}

// grown is a configuration for doubled patterns whose first epoch of two is at half the resolution.
func grown(t *testing.T) Config {
	c := tinyConfig(t)
	c.Spec.Size, c.Changes = 32, []byte(`{"name": "grown", "grow": 0.5}`)
	return c
}

func TestSized(t *testing.T) {
	in := [][][][]uint8{{{{0, 9, 100}, {4, 9, 50}}, {{255, 9, 3}, {2, 10, 0}}}}
	out := evaluate(t, func(in []*Node) []*Node {
		same := ConvertDType(sized(in[0], 2), dtypes.Float32)
		return []*Node{sized(in[0], 1), same}
	}, tensors.FromValue(in))
	near(t, "halved", out[0], []float64{261. / 4, 37. / 4, 153. / 4}, 1e-6, 0)
	near(t, "at its size", out[1], []float64{0, 9, 100, 4, 9, 50, 255, 9, 3, 2, 10, 0}, 0, 0)
}

// The middle of a new pixel lies between those of two old ones, or beyond the last.
func TestEnlarged(t *testing.T) {
	in := [][]float32{{1, 5, 3}}
	out := evaluate(t, func(in []*Node) []*Node {
		return []*Node{enlarged(in[0], 1, 2), enlarged(in[0], 1, 4), enlarged(in[0], 0, 2)}
	}, tensors.FromValue(in))
	near(t, "twice", out[0], []float64{1, 2, 4, 4.5, 3.5, 3}, 1e-6, 0)
	near(t, "four times", out[1], []float64{1, 1, 1.5, 2.5, 3.5, 4.5, 4.75, 4.25, 3.75, 3.25, 3, 3}, 1e-6, 0)
	near(t, "one row to two", out[2], []float64{1, 5, 3, 1, 5, 3}, 1e-6, 0)
}

// A network that enlarges its image computes, converted, what it computed in training.
func TestEnlargedIsConverted(t *testing.T) {
	spec := tinySpec(model.NetD)
	spec.Enlarge = 2
	c := checkpointOf(spec, 3)
	c.Labels = []string{"a", "b", "c", "d"}
	tr := testTrainer(t, goBackend(t), spec, Recipe{Batch: 2}, 2)
	tr.input = c.Input
	if err := tr.setWeights(c.Weights); err != nil {
		t.Fatal(err)
	}
	pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), 2, spec)
	got := results(t, tr, pixels, labels, tr.weights(), func(g *Graph, pixels, _ *Node) []*Node {
		n := &net{spec: spec, input: c.Input, weights: tr.parameters(g, dtypes.Float32)}
		return []*Node{n.logits(pixels)}
	})
	g, err := convert.Lower(c)
	if err != nil {
		t.Fatal(err)
	}
	m, err := interp.New(g, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	for x := range normalized(c.Input, pixels, spec.Size) {
		y, err := m.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, reals(y[0].([]float32))...)
	}
	near(t, "logits", got[0], want, 1e-3, 1e-3)
}

// A step at half the resolution is the step of a net for images of half the size, or of one that does not enlarge them, or that halves them once
// more, taught by the same teacher, on the same images.
func TestHalfStep(t *testing.T) {
	for _, net := range []model.Net{model.NetD, model.NetC} {
		for _, c := range []struct{ size, enlarge, outputStride, halfEnlarge, halfStride int }{
			{size: 32}, {enlarge: 2}, {enlarge: 4, halfEnlarge: 2}, {outputStride: 8}, {outputStride: 4, halfStride: 8}, {enlarge: 2, outputStride: 8, halfStride: 8},
		} {
			small := tinySpec(net)
			large := small
			large.Enlarge, large.OutputStride, small.Enlarge, small.OutputStride = c.enlarge, c.outputStride, c.halfEnlarge, c.halfStride
			pixels, labels := randomBatch(rand.New(rand.NewPCG(7, 7)), 4, small)
			largePixels := pixels
			if c.size != 0 {
				large.Size, largePixels = c.size, doubled(pixels, small.Size)
			}
			weights := initialWeights(small, 0.5, rand.New(rand.NewPCG(5, 5)))
			step := func(spec model.Spec, pixels []byte, program func(*trainer) *program) (float64, model.Weights) {
				r := Recipe{Batch: 4, Momentum: 0.9, Distill: 1, Temperature: 2, Grow: 0.5}
				if spec == small {
					r.Grow = 0
				}
				tr, err := newTrainer(goBackend(t), spec, testInput, r, 1, 4, weights, nil, taughtBy(&teacher{run: checkpointOf(tinySpec(model.NetC), 3)}))
				if err != nil {
					t.Fatal(err)
				}
				defer tr.close()
				loss, _, err := tr.stepBy(program(tr), pixels, labels, 0.1)
				if err != nil {
					t.Fatal(err)
				}
				after, _, err := tr.download()
				if err != nil {
					t.Fatal(err)
				}
				return loss, after
			}
			wantLoss, want := step(small, pixels, func(t *trainer) *program { return t.steps[whole] })
			gotLoss, got := step(large, largePixels, func(t *trainer) *program { return t.steps[half] })
			if gotLoss != wantLoss || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: loss %v and weights at half the resolution, want %v and equal weights", large.Name(), gotLoss, wantLoss)
			}
			if fullLoss, _ := step(large, largePixels, func(t *trainer) *program { return t.steps[whole] }); fullLoss == wantLoss {
				t.Errorf("%s: the step at the whole resolution has the same loss", large.Name())
			}
		}
	}
}

// A run that grows, broken off in each of its parts, ends as a whole one does, and not as one at the whole resolution throughout.
func TestRunGrows(t *testing.T) {
	set := doubledSet(patterns(48, 8))
	run := func(c Config) model.Weights {
		for _, breakAfter := range []int64{2, 8, 0} {
			ctx, cancel := context.WithCancel(context.Background())
			c.Progress = func(p Progress) {
				if p.Phase == PhaseTrain && p.Step == breakAfter {
					cancel()
				}
			}
			if _, err := Run(ctx, c, set); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			cancel()
			c.Resume = true
		}
		return loadLast(t, c).Weights
	}
	broken, whole, full := grown(t), grown(t), grown(t)
	full.Changes = nil
	if _, err := Run(context.Background(), whole, set); err != nil {
		t.Fatal(err)
	}
	want := loadLast(t, whole)
	if got := run(broken); !reflect.DeepEqual(got, want.Weights) {
		t.Error("broken off and resumed it has other weights")
	}
	if got := run(full); reflect.DeepEqual(got, want.Weights) {
		t.Error("at the whole resolution throughout it has the same weights")
	}
	if card := string(mustRead(t, whole.Out, cardFile)); !strings.Contains(card, "the first 1 epochs at half the resolution") {
		t.Errorf("card.md does not say so:\n%s", card)
	}
}

func TestGrowRefused(t *testing.T) {
	c := grown(t)
	c.Spec.Size = 48
	if _, _, err := c.withDefaults(); !errors.Is(err, ErrConfig) {
		t.Errorf("48 pixels halved: error %v, want ErrConfig", err)
	}
	teacher := grown(t)
	teacher.Epochs, teacher.Changes = 1, nil
	if _, err := Run(context.Background(), teacher, doubledSet(patterns(40, 8))); err != nil {
		t.Fatal(err)
	}
	c = tinyConfig(t)
	c.Teachers = []string{teacher.Out}
	if _, err := Run(context.Background(), c, patterns(40, 8)); !errors.Is(err, model.ErrCheckpoint) {
		t.Errorf("a teacher for larger images: error %v, want ErrCheckpoint", err)
	}
}
