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

// logits are the teacher's (N, Classes) for pixels (N, H, W, 3), uint8, in dtype; it sees them at its own size. Its weights become inputs
// of the graph.
func (t *teacher) logits(pixels *Node, dtype dtypes.DType) *Node {
	n := &net{spec: t.spec, input: t.input, weights: parameters(pixels.Graph(), t.params, "teacher's ", dtype)}
	return StopGradient(n.logits(sized(pixels, t.spec.Size)))
}

// goal is what a batch is to answer: the labels, smoothed, and, where there is a teacher, what it says. With z the logits, y the labels'
// shares, q the teacher's softmax at temperature T and s the share it has, an image's loss is
//
//	(1-s) H(y, softmax(z)) + s T^2 H(q, softmax(z/T))
//
// where H(a, b) is the cross entropy of b against a. T^2 keeps the gradients of the two terms of one size, whatever T is.
type goal struct {
	labels  *Node // (N, Classes)
	teacher *Node // (N, Classes); nil: no teacher

	share, temperature float64
}

// goal is that of the labels (N) and of t's teacher, if there is one, for pixels (N, H, W, 3), uint8. Logits are to be of that dtype.
func (t *trainer) goal(pixels, labels *Node, dtype dtypes.DType) goal {
	q := goal{labels: targets(labels, t.spec.Classes, t.recipe.LabelSmoothing, dtype)}
	if t.teacher != nil {
		q.share, q.temperature = t.recipe.Distill, t.recipe.temperature()
		q.teacher = softmax(MulScalar(t.teacher.logits(pixels, dtype), 1/q.temperature))
	}
	return q
}

// loss is each image's (N).
func (q goal) loss(logits *Node) *Node {
	own := crossEntropy(logits, q.labels)
	if q.teacher == nil {
		return own
	}
	taught := crossEntropy(MulScalar(logits, 1/q.temperature), q.teacher)
	return Add(MulScalar(own, 1-q.share), MulScalar(taught, q.share*q.temperature*q.temperature))
}

// gradient is the derivative of the losses' sum by the logits (N, Classes).
func (q goal) gradient(logits *Node) *Node {
	own := Sub(softmax(logits), q.labels)
	if q.teacher == nil {
		return own
	}
	taught := Sub(softmax(MulScalar(logits, 1/q.temperature)), q.teacher)
	return Add(MulScalar(own, 1-q.share), MulScalar(taught, q.share*q.temperature))
}

// taughtBy is what newTrainer gives a trainer the teacher of checkpoint c with.
func taughtBy(c *model.Checkpoint) func(*trainer) error {
	return func(t *trainer) (err error) {
		t.teacher = &teacher{spec: c.Spec, input: c.Input, params: deviceParams(c.Spec), state: make([][]compute.Buffer, len(t.state))}
		for d := range t.state {
			if t.teacher.state[d], err = putWeights(t.backend, d, t.teacher.params, c.Weights); err != nil {
				return err
			}
		}
		return nil
	}
}

// loadTeacher reads the best checkpoint of the run that is to teach this one, if one is. It must know the same classes, by images of the
// same size or of a whole fraction of it.
func (r *run) loadTeacher() error {
	if r.c.Teacher == "" {
		return nil
	}
	c, note, err := model.Load(r.c.Teacher)
	if err != nil {
		return err
	}
	r.note(note)
	switch size := r.c.Spec.Size; {
	case size%c.Spec.Size != 0:
		err = fmt.Errorf("takes images of %dx%d, which those of %dx%d for the net to be taught can't be averaged to", c.Spec.Size, c.Spec.Size, size, size)
	case !slices.Equal(c.Labels, r.set.Classes):
		err = fmt.Errorf("knows the classes %q, %s has %q", c.Labels, r.set.Name, r.set.Classes)
	}
	if err != nil {
		return fmt.Errorf("train: teacher %s %w: %w", r.c.Teacher, err, model.ErrCheckpoint)
	}
	r.teacher = c
	return nil
}

// TeacherRecord is the network that a run was taught by.
type TeacherRecord struct {
	Net      model.Spec `json:"spec"`
	SHA256   string     `json:"sha256"`              // of its weights: float32, little-endian, in the order of Spec.Params
	TestTop1 float64    `json:"test_top1,omitempty"` // as its checkpoint has it, 0..1
}

// weights names the teacher's weights, as far as two runs must agree on them.
func (t *TeacherRecord) weights() string {
	if t == nil {
		return "none"
	}
	return t.SHA256
}

// teacherRecord is that of checkpoint c, nil if there is none.
func teacherRecord(c *model.Checkpoint) *TeacherRecord {
	if c == nil {
		return nil
	}
	h := sha256.New()
	for _, p := range c.Spec.Params() {
		binary.Write(h, binary.LittleEndian, c.Weights[p.Name].Data) // neither the data's type nor a hash has an error to give
	}
	return &TeacherRecord{c.Spec, hex.EncodeToString(h.Sum(nil)), c.Metrics["test_top1"]}
}
