package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 see net.go

	"mnet-edge/model"
)

// teacher is a trained network whose answers a run learns, beside the labels or instead (Hinton, Vinyals and Dean, "Distilling the knowledge
// in a neural network", 2015). It is asked in the step about the very pixels that the student sees, cropped, mirrored and mixed as these
// are (Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", 2022).
type teacher struct {
	asked *Answers // a model in a file, asked before each step; nil: a run's network, asked in the step

	run    *model.Checkpoint
	params []param
	state  [][]compute.Buffer // the weights, one a param, on each device the same
}

// share returns which of a device's images teacher i is asked about, [from, to), and how many of these, from the first on, it sees mirrored.
func (t *trainer) share(i, images int) (from, to, mirrored int) {
	k := len(t.teachers)
	if from, to = i*images/k, (i+1)*images/k; t.recipe.Flip != FlipNone {
		mirrored = (to - from) / 2
	}
	return from, to, mirrored
}

// taughtLogits are the teachers' (N, Classes) for pixels (N, H, W, 3), uint8, in dtype. Each of K teachers has an equal share of the images,
// and where a run mirrors its images is asked about the first half of them as in a mirror. A batch has other images in other places in each
// epoch, so that in time all teachers are asked about each image, both ways round: what is learnt is the mean of their 2K answers, which is right
// more often than any of them, at the price of one. A teacher sees images at its own size. Its weights become inputs of the graph, or what it
// answered if it was asked before.
func (t *trainer) taughtLogits(pixels *Node, dtype dtypes.DType) *Node {
	g := pixels.Graph()
	var logits []*Node
	for i, teacher := range t.teachers {
		owner := fmt.Sprintf("teacher %d's ", i+1)
		from, to, mirrored := t.share(i, pixels.Shape().Dimensions[0])
		if teacher.asked != nil {
			logits = append(logits, ConvertDType(Parameter(g, owner+"logits", shapes.Make(dtypes.Float32, to-from, t.spec.Classes)), dtype))
			continue
		}
		part := Slice(pixels, AxisRange(from, to))
		if mirrored > 0 {
			part = Concatenate([]*Node{Reverse(Slice(part, AxisRange(0, mirrored)), 2), Slice(part, AxisRange(mirrored))}, 0)
		}
		n := &net{spec: teacher.run.Spec, input: teacher.run.Input, weights: parameters(g, teacher.params, owner, dtype)}
		logits = append(logits, n.logits(sized(part, teacher.run.Spec.Size)))
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

// taughtBy is what newTrainer gives a trainer its teachers with.
func taughtBy(teachers ...*teacher) func(*trainer) error {
	return func(t *trainer) (err error) {
		for _, one := range teachers {
			t.teachers = append(t.teachers, one)
			if one.asked != nil {
				continue
			}
			one.params, one.state = deviceParams(one.run.Spec), make([][]compute.Buffer, len(t.state))
			for d := range t.state {
				if one.state[d], err = putWeights(t.backend, d, one.params, one.run.Weights); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// loadTeachers finds those that are to teach this run: the best checkpoints of others, or models in files.
func (r *run) loadTeachers() error {
	for _, name := range r.c.Teachers {
		one, err := r.loadTeacher(name)
		if r.teachers = append(r.teachers, one); err != nil {
			return err
		}
	}
	return nil
}

// loadTeacher finds the teacher of that name. It must know the same classes, by images of the same size or of a whole fraction of it.
func (r *run) loadTeacher(name string) (*teacher, error) {
	if r.c.OpenTeacher != nil {
		if a, err := r.c.OpenTeacher(name); err != nil {
			return nil, err
		} else if a != nil {
			return &teacher{asked: a}, r.refuseTeacher(name, a.Size, a.Labels)
		}
	}
	c, err := r.load(name)
	if err != nil {
		return nil, err
	}
	return &teacher{run: c}, r.refuseTeacher(name, c.Spec.Size, c.Labels)
}

// refuseTeacher says what keeps the teacher of that name from teaching this run: the size of its images doesn't fit, or it knows other classes.
func (r *run) refuseTeacher(name string, size int, labels []string) (err error) {
	switch own := r.c.Spec.Size; {
	case own%size != 0:
		err = fmt.Errorf("takes images of %dx%d, which those of %dx%d for the net to be taught can't be averaged to", size, size, own, own)
	case !slices.Equal(labels, r.set.Classes):
		err = fmt.Errorf("knows the classes %q, %s has %q", labels, r.set.Name, r.set.Classes)
	default:
		return nil
	}
	return fmt.Errorf("train: teacher %s %w: %w", name, err, model.ErrCheckpoint)
}

// closeTeachers lets go of those that are models in files.
func (r *run) closeTeachers() {
	for _, one := range r.teachers {
		if one != nil && one.asked != nil {
			one.asked.Close()
		}
	}
}

// NetRecord is a trained network that a run made use of.
type NetRecord struct {
	Net      model.Spec `json:"spec,omitzero"`
	File     string     `json:"file,omitempty"`      // of a model in a file its name, in place of Net
	SHA256   string     `json:"sha256"`              // of its weights: float32, little-endian, in the order of Spec.Params; or of the file
	TestTop1 float64    `json:"test_top1,omitempty"` // as its checkpoint has it, 0..1
}

// Name is the net's, or the file's.
func (n *NetRecord) Name() string {
	if n.File != "" {
		return n.File
	}
	return n.Net.Name()
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

// teacherRecords are those of the run's teachers.
func (r *run) teacherRecords() []NetRecord {
	var records []NetRecord
	for i, one := range r.teachers {
		if one.asked != nil {
			records = append(records, NetRecord{File: filepath.Base(r.c.Teachers[i]), SHA256: one.asked.SHA256})
		} else {
			records = append(records, netRecord(one.run))
		}
	}
	return records
}

func netRecord(c *model.Checkpoint) NetRecord {
	h := sha256.New()
	for _, p := range c.Spec.Params() {
		binary.Write(h, binary.LittleEndian, c.Weights[p.Name].Data) // neither the data's type nor a hash has an error to give
	}
	return NetRecord{Net: c.Spec, SHA256: hex.EncodeToString(h.Sum(nil)), TestTop1: c.Metrics["test_top1"]}
}
