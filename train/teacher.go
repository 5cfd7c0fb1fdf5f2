package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 see net.go

	"mnet-edge/model"
)

// teacher is a trained network whose answers a run learns, beside the labels or instead (Hinton, Vinyals and Dean, "Distilling the knowledge
// in a neural network", 2015). It is asked in the step about the very pixels that the student sees, cropped, mirrored and mixed as these
// are (Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", 2022).
type teacher struct {
	spec   model.Spec
	input  model.Input
	params []param
	state  [][]compute.Buffer // the weights, one a param, on each device the same
}

// taughtLogits are the teachers' (N, Classes) for pixels (N, H, W, 3), uint8, in dtype. Each of K teachers has an equal share of the images,
// and where a run mirrors its images is asked about the first half of them as in a mirror. A batch has other images in other places in each
// epoch, so that in time all teachers are asked about each image, both ways round: what is learnt is the mean of their 2K answers, which is right
// more often than any of them, at the price of one. A teacher sees images at its own size. Its weights become inputs of the graph.
func (t *trainer) taughtLogits(pixels *Node, dtype dtypes.DType) *Node {
	images, k := pixels.Shape().Dimensions[0], len(t.teachers)
	var logits []*Node
	for i, teacher := range t.teachers {
		from, to := i*images/k, (i+1)*images/k
		part := Slice(pixels, AxisRange(from, to))
		if half := (to - from) / 2; half > 0 && t.recipe.Flip != FlipNone {
			part = Concatenate([]*Node{Reverse(Slice(part, AxisRange(0, half)), 2), Slice(part, AxisRange(half))}, 0)
		}
		n := &net{spec: teacher.spec, input: teacher.input, weights: parameters(pixels.Graph(), teacher.params, fmt.Sprintf("teacher %d's ", i+1), dtype)}
		logits = append(logits, n.logits(sized(part, teacher.spec.Size)))
	}
	return StopGradient(Concatenate(logits, 0))
}

// goal is what a batch is to answer: the labels, smoothed, and, where there are teachers, what they say. With z the logits, y the labels'
// shares, q a teacher's softmax at temperature T and s the share that has, an image's loss is
//
//	(1-s) H(y, softmax(z)) + s T^2 H(q, softmax(z/T))
//
// where H(a, b) is the cross entropy of b against a. T^2 keeps the gradients of the two terms of one size, whatever T is.
type goal struct {
	labels *Node // (N, Classes)
	taught *Node // (N, Classes), what the teachers say; nil: there are none

	share, temperature float64
}

// goal is that of the labels (N) and of t's teachers, if there are any, for pixels (N, H, W, 3), uint8. Logits are to be of that dtype.
func (t *trainer) goal(pixels, labels *Node, dtype dtypes.DType) goal {
	q := goal{labels: targets(labels, t.spec.Classes, t.recipe.LabelSmoothing, dtype)}
	if t.teachers != nil {
		q.share, q.temperature = t.recipe.Distill, t.recipe.temperature()
		q.taught = softmax(MulScalar(t.taughtLogits(pixels, dtype), 1/q.temperature))
	}
	return q
}

// loss is each image's (N).
func (q goal) loss(logits *Node) *Node {
	own := crossEntropy(logits, q.labels)
	if q.taught == nil {
		return own
	}
	taught := crossEntropy(MulScalar(logits, 1/q.temperature), q.taught)
	return Add(MulScalar(own, 1-q.share), MulScalar(taught, q.share*q.temperature*q.temperature))
}

// gradient is the derivative of the losses' sum by the logits (N, Classes).
func (q goal) gradient(logits *Node) *Node {
	own := Sub(softmax(logits), q.labels)
	if q.taught == nil {
		return own
	}
	taught := Sub(softmax(MulScalar(logits, 1/q.temperature)), q.taught)
	return Add(MulScalar(own, 1-q.share), MulScalar(taught, q.share*q.temperature))
}

// taughtBy is what newTrainer gives a trainer the teachers of checkpoints with.
func taughtBy(checkpoints ...*model.Checkpoint) func(*trainer) error {
	return func(t *trainer) (err error) {
		for _, c := range checkpoints {
			one := &teacher{spec: c.Spec, input: c.Input, params: deviceParams(c.Spec), state: make([][]compute.Buffer, len(t.state))}
			t.teachers = append(t.teachers, one)
			for d := range t.state {
				if one.state[d], err = putWeights(t.backend, d, one.params, c.Weights); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// loadTeachers reads the best checkpoints of the runs that are to teach this one.
func (r *run) loadTeachers() error {
	for _, run := range r.c.Teachers {
		if err := r.loadTeacher(run); err != nil {
			return err
		}
	}
	return nil
}

// loadTeacher reads that of a run. It must know the same classes, by images of the same size or of a whole fraction of it.
func (r *run) loadTeacher(run string) error {
	c, err := r.load(run)
	if err != nil {
		return err
	}
	switch size := r.c.Spec.Size; {
	case size%c.Spec.Size != 0:
		err = fmt.Errorf("takes images of %dx%d, which those of %dx%d for the net to be taught can't be averaged to", c.Spec.Size, c.Spec.Size, size, size)
	case !slices.Equal(c.Labels, r.set.Classes):
		err = fmt.Errorf("knows the classes %q, %s has %q", c.Labels, r.set.Name, r.set.Classes)
	}
	if err != nil {
		return fmt.Errorf("train: teacher %s %w: %w", run, err, model.ErrCheckpoint)
	}
	r.teachers = append(r.teachers, c)
	return nil
}

// NetRecord is a trained network that a run made use of.
type NetRecord struct {
	Net      model.Spec `json:"spec"`
	SHA256   string     `json:"sha256"`              // of its weights: float32, little-endian, in the order of Spec.Params
	TestTop1 float64    `json:"test_top1,omitempty"` // as its checkpoint has it, 0..1
}

// weights names the network's weights, as far as two runs must agree on them.
func (n *NetRecord) weights() string {
	if n == nil {
		return "none"
	}
	return n.SHA256
}

// weightsOf names those of several.
func weightsOf(nets []NetRecord) []string {
	var sums []string
	for _, n := range nets {
		sums = append(sums, n.weights())
	}
	return sums
}

// netRecords are those of checkpoints.
func netRecords(checkpoints []*model.Checkpoint) []NetRecord {
	var records []NetRecord
	for _, c := range checkpoints {
		records = append(records, netRecord(c))
	}
	return records
}

func netRecord(c *model.Checkpoint) NetRecord {
	h := sha256.New()
	for _, p := range c.Spec.Params() {
		binary.Write(h, binary.LittleEndian, c.Weights[p.Name].Data) // neither the data's type nor a hash has an error to give
	}
	return NetRecord{c.Spec, hex.EncodeToString(h.Sum(nil)), c.Metrics["test_top1"]}
}
