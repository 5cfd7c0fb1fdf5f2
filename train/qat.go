package train

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 the net reads as its equations

	"mnet-edge/dataset"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// Quantization-aware training: the network as convert will make it, batch normalization folded into the weights with its running
// statistics, computed in float32 with every weight and activation moved to where int8 will have it. Rounding has no derivative
// worth having; the gradient goes through it as if it were not there, and is zero where a value is cut off at the end of its
// range ("straight-through": Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
// Inference", 2018, section 3). The statistics stay as they are: what is trained is what is folded.

// rangeImages is the number of training images that the ranges of a quantization-aware run are taken from.
const rangeImages = 2048

// foldedLogits is logits with BN folded. see, called for every activation that int8 stores, by its name in Checkpoint.Ranges, gives
// what is computed on with; weights go through round, which is told how many of their values share a scale. The input x is what pixels
// gives, or wholePixels; the logits need neither, since nothing is computed behind them.
func (n *net) foldedLogits(x *Node, see func(name string, x *Node) *Node, round func(w *Node, perChannel bool) *Node) *Node {
	for _, l := range n.spec.Layers() {
		w := n.weights[l.Name+".weight"]
		if l.Kind == model.Linear {
			pooled := see(model.Pooled, ReduceMean(x, 1, 2))
			return Add(Dot(pooled, round(w, false)).Product(), ExpandAxes(n.weights[l.Name+".bias"], 0))
		}
		scale, shift, _ := n.folded(l.BN, n.runningMoments(l.BN))
		x = Add(n.convolve(x, round(Mul(w, ExpandAxes(scale, 0)), true), l), channels(shift))
		if l.ReLU {
			x = MaxScalar(x, 0)
		}
		x = maxPooled(see(l.Name, x), l) // the greatest of numbers on a grid is on it
	}
	return x
}

// quantizedLogits is foldedLogits on the grids of int8: of ranges, and of each weight's largest value.
func (n *net) quantizedLogits(pixels *Node, ranges map[string]model.Range) *Node {
	return n.foldedLogits(n.wholePixels(pixels), func(name string, x *Node) *Node { return onGrid(x, ranges[name]) }, roundedWeight)
}

// onGrid moves x to the nearest of the 256 numbers that int8 has for the range, and lets the gradient of those within it through.
func onGrid(x *Node, r model.Range) *Node {
	scale, zero := quant.Asymmetric(r.Min, r.Max, quant.Int8Min, quant.Int8Max)
	step := float64(scale)
	inside := MinScalar(MaxScalar(x, step*float64(quant.Int8Min-zero)), step*float64(quant.Int8Max-zero))
	return straightThrough(inside, MulScalar(Round(MulScalar(inside, 1/step)), step))
}

// roundedWeight moves w (inputs, outputs) to the symmetric grid that its largest absolute value spans, or the largest of each output.
func roundedWeight(w *Node, perChannel bool) *Node {
	largest := ReduceAllMax(Abs(w))
	if perChannel {
		largest = ExpandAxes(ReduceMax(Abs(w), 0), 0)
	}
	step := StopGradient(MaxScalar(MulScalar(largest, 1./quant.Int8Max), quant.MinScale))
	step = BroadcastToShape(step, w.Shape())
	return straightThrough(w, Mul(Round(Div(w, step)), step))
}

// straightThrough has the value of rounded and the gradient of x.
func straightThrough(x, rounded *Node) *Node { return Add(x, StopGradient(Sub(rounded, x))) }

// rangesOf runs the trainer's network, folded and in float, over images of s and gives the range of each activation that int8 will
// store: the mean over the batches of each batch's least and greatest value, which a single odd image moves little.
func (t *trainer) rangesOf(s *dataset.Split, batch int) (map[string]model.Range, error) {
	images := s.Limit(rangeImages)
	batch = min(batch, images.N)
	var names []string
	p, err := t.compile("ranges", batch, func(g *Graph, pixels, labels *Node) []*Node {
		n := &net{spec: t.spec, input: t.input, weights: t.parameters(g, dtypes.Float32)}
		names = nil
		var ends []*Node
		n.foldedLogits(n.pixels(pixels), func(name string, x *Node) *Node {
			names, ends = append(names, name), append(ends, ReduceAllMin(x), ReduceAllMax(x))
			return x
		}, func(w *Node, _ bool) *Node { return w })
		return []*Node{Stack(ends, 0), ReduceAllSum(labels)} // the labels, so that every input has a use
	})
	if err != nil {
		return nil, err
	}
	defer p.graph.Finalize()
	sums := make([]float64, 2*len(names))
	batches := 0
	for b := range images.Batches(batch) {
		if len(b.Labels) < batch {
			break
		}
		outputs, err := t.forwards(p, b.Pixels, b.Labels)
		if err != nil {
			return nil, err
		}
		ends := make([]float32, len(sums))
		err = outputs[0].ToFlatData(ends)
		for _, o := range outputs {
			o.Finalize()
		}
		if err != nil {
			return nil, fmt.Errorf("train: ranges: %w", err)
		}
		for i, v := range ends {
			sums[i] += float64(v)
		}
		batches++
	}
	ranges := map[string]model.Range{}
	for i, name := range names {
		ranges[name] = model.Range{Min: float32(sums[2*i] / float64(batches)), Max: float32(sums[2*i+1] / float64(batches))}
	}
	return ranges, nil
}

// rangesFor is what newTrainer makes t quantization-aware with: these ranges or, where there are none yet, those that the weights give
// images of s.
func rangesFor(ranges map[string]model.Range, s *dataset.Split) func(*trainer) error {
	return func(t *trainer) (err error) {
		if t.ranges = ranges; ranges == nil {
			t.ranges, err = t.rangesOf(s, t.recipe.Batch)
		}
		return err
	}
}

// loadQuantized reads the best checkpoint of the run that a quantization-aware one goes on from, if this is one. It must be of the same net, and have
// learnt from the same data: of other data, others would be held out than it has not seen.
func (r *run) loadQuantized() error {
	if r.c.QAT == "" {
		return nil
	}
	c, err := r.load(r.c.QAT)
	switch {
	case err != nil:
		return err
	case c.Spec != r.c.Spec:
		return fmt.Errorf("train: %s holds net %s with %d classes, wanted is %s with %d: %w", r.c.QAT, c.Spec.Name(), c.Spec.Classes,
			r.c.Spec.Name(), r.c.Spec.Classes, model.ErrCheckpoint)
	case !slices.Equal(c.Labels, r.set.Classes) || c.State["data_sha256"] != r.set.SHA256:
		return fmt.Errorf("train: %s learnt from other data than %s: %w", r.c.QAT, r.set.Name, ErrData)
	}
	c.Optimizer, c.State = nil, nil
	c.Ranges = nil // of an earlier run of this kind; this one takes its own
	r.trained = c
	return nil
}
