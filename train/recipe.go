package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"

	"mnet-edge/model"
)

// The presets' names.
const (
	PresetSeed = "seed"
	PresetFast = "fast"
	PresetQAT  = "qat"
)

// Schedule is the shape of the learning rate over a run.
type Schedule string

const (
	// ScheduleSteps multiplies the rate by StepFactor at each of Milestones.
	ScheduleSteps Schedule = "steps"
	// ScheduleTriangle rises linearly from a small rate to the peak over the first Warmup of the run and falls linearly to nearly zero.
	ScheduleTriangle Schedule = "triangle"
)

// Flip says which training images are mirrored.
type Flip string

const (
	FlipNone        Flip = "none"
	FlipRandom      Flip = "random"      // half of them, by a coin each epoch
	FlipAlternating Flip = "alternating" // by a coin in the first epoch, then every other epoch, so that two in a row show both sides
)

// Recipe is how a net is trained: stochastic gradient descent with momentum, as PyTorch's SGD does it, or Muon for the matrices.
type Recipe struct {
	Name   string  `json:"name"`
	Epochs int     `json:"epochs"`
	Batch  int     `json:"batch"`
	LR     float64 `json:"lr"` // the highest rate of the schedule

	Schedule   Schedule  `json:"schedule"`
	Milestones []float64 `json:"milestones,omitempty"` // ScheduleSteps: shares of the run, so that a shorter run keeps the shape
	StepFactor float64   `json:"step_factor,omitempty"`
	Warmup     float64   `json:"warmup,omitempty"` // ScheduleTriangle: share of the run

	Muon           float64 `json:"muon,omitempty"` // rate of the matrices that follow Muon, in units of the rate of the rest; 0: none does; see update.go
	Momentum       float64 `json:"momentum"`
	Nesterov       bool    `json:"nesterov"`
	WeightDecay    float64 `json:"weight_decay"`    // added to the gradient, times the weight
	DecayAll       bool    `json:"decay_all"`       // decay BN's gamma and beta and the bias too
	LabelSmoothing float64 `json:"label_smoothing"` // share of the target spread evenly over all classes

	Distill     float64 `json:"distill,omitempty"`     // share of the loss that is about a teacher's answers instead of the labels, 0..1; see teacher.go
	Temperature float64 `json:"temperature,omitempty"` // of both nets' softmaxes there; 0: 1
	Mix         float64 `json:"mix,omitempty"`         // share of the batches whose images are mixed, each with the next; wants Distill 1: half an image has no label
	Patch       float64 `json:"patch,omitempty"`       // share of the batches, others than those, with a rectangle of the next image over each, after the epochs of Grow

	Identity float64 `json:"identity"` // share of the identity in the initial weights, 0..1; see initialWeights

	Grow float64 `json:"grow,omitempty"` // share of the epochs, the first ones, at half the resolution, 0..1; see trainer.half

	SAM     float64 `json:"sam,omitempty"`      // length of the step uphill behind which the gradient is taken, 0: none; see sam.go
	SAMLast float64 `json:"sam_last,omitempty"` // share of the epochs, the last ones, in which it is, 0..1

	Crop         int  `json:"crop"`                    // zeros around the image of which a random window of the image's size is cut, pixels of one of 32x32: see inPixels
	CropMirrored bool `json:"crop_mirrored,omitempty"` // the image goes on there as in a mirror, in place of zeros
	Flip         Flip `json:"flip"`                    // which images are mirrored left to right

	Cutout int `json:"cutout,omitempty"` // side of a square of each image that is covered, in the same pixels; 0: none
}

// Preset returns the recipe of that name.
//
// "seed" is the source's: 200 epochs at 0.1, times 0.2 at epochs 60, 120 and 160. The source states nothing else; momentum 0.9,
// weight decay 5e-4, batch 128, random crop with padding 4 and horizontal flip are the usual CIFAR-10 recipe.
//
// "fast" is for few epochs: initial weights half way to the identity, one triangle with Nesterov momentum and smoothed labels, Muon for
// the matrices that mix channels, no decay on BN and biases. From 20 epochs on its highest rate is 0.1. docs/decisions/0005-recipe.md
// has the figures it was chosen by.
//
// "qat" goes on from a trained network, with rates a thirtieth of those: see qat.go.
func Preset(name string) (Recipe, error) {
	switch name {
	case PresetSeed:
		return Recipe{
			Name: PresetSeed, Epochs: 200, Batch: 128, LR: 0.1,
			Schedule: ScheduleSteps, Milestones: []float64{0.3, 0.6, 0.8}, StepFactor: 0.2,
			Momentum: 0.9, WeightDecay: 5e-4, DecayAll: true, Crop: 4, Flip: FlipRandom,
		}, nil
	case PresetFast:
		return Recipe{
			Name: PresetFast, Epochs: 12, Batch: 128, LR: 0.3,
			Schedule: ScheduleTriangle, Warmup: 0.25, Identity: 0.5,
			Muon: 1. / 6, Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4, LabelSmoothing: 0.1, Crop: 4, Flip: FlipAlternating,
		}, nil
	case PresetQAT:
		return Recipe{
			Name: PresetQAT, Epochs: 3, Batch: 128, LR: 0.01,
			Schedule: ScheduleTriangle, Warmup: 0.1,
			Momentum: 0.9, Nesterov: true, LabelSmoothing: 0.1, Crop: 4, Flip: FlipAlternating,
		}, nil
	}
	return Recipe{}, fmt.Errorf("train: preset %q: want %s or %s: %w", name, PresetFast, PresetSeed, ErrConfig)
}

// with is r with the fields that a JSON object names set to its values. It gets the object's name, if that has one.
func (r Recipe) with(changes []byte) (Recipe, error) {
	r.Name += ", changed"
	d := json.NewDecoder(bytes.NewReader(changes))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("train: recipe: %w: %w", err, ErrConfig)
	}
	if _, err := d.Token(); err != io.EOF {
		return r, fmt.Errorf("train: recipe: more than one JSON object: %w", ErrConfig)
	}
	if len(r.Milestones) == 0 {
		r.Milestones = nil // as it is when it is read back
	}
	return r, r.check()
}

// check reports the first field out of range, of those that Config.check does not look at.
func (r Recipe) check() error {
	refuse := func(format string, a ...any) error {
		return fmt.Errorf("train: recipe: %s: %w", fmt.Sprintf(format, a...), ErrConfig)
	}
	for _, share := range []struct {
		name string
		v    float64
	}{
		{"momentum", r.Momentum}, {"weight_decay", r.WeightDecay}, {"label_smoothing", r.LabelSmoothing}, {"identity", r.Identity}, {"distill", r.Distill},
		{"mix", r.Mix}, {"patch", r.Patch}, {"grow", r.Grow}, {"sam_last", r.SAMLast}, {"warmup", r.Warmup}, {"step_factor", r.StepFactor},
	} {
		if !(share.v >= 0 && share.v <= 1) {
			return refuse("%s %v: want 0 to 1", share.name, share.v)
		}
	}
	switch {
	case r.Name == "" || strings.ContainsFunc(r.Name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return refuse("name %q: want printable characters", r.Name)
	case !(r.Muon >= 0) || math.IsInf(r.Muon, 0):
		return refuse("muon %v: want 0 or more", r.Muon)
	case !(r.Temperature >= 0) || math.IsInf(r.Temperature, 0):
		return refuse("temperature %v: want more than 0", r.Temperature)
	case r.Mix+r.Patch > 0 && r.Distill < 1:
		return refuse("mix %v, patch %v: such an image has no label; want distill 1, or neither", r.Mix, r.Patch)
	case r.Mix+r.Patch > 1:
		return refuse("mix %v, patch %v: more than all batches", r.Mix, r.Patch)
	case !(r.SAM >= 0) || math.IsInf(r.SAM, 0):
		return refuse("sam %v: want 0 or more", r.SAM)
	case (r.SAM > 0) != (r.SAMLast > 0):
		return refuse("sam %v, sam_last %v: want both or neither", r.SAM, r.SAMLast)
	case r.Grow+r.SAMLast > 1:
		return refuse("grow %v, sam_last %v: they overlap", r.Grow, r.SAMLast)
	case r.Schedule != ScheduleSteps && r.Schedule != ScheduleTriangle:
		return refuse("schedule %q: want %s or %s", r.Schedule, ScheduleSteps, ScheduleTriangle)
	case slices.ContainsFunc(r.Milestones, func(m float64) bool { return !(m > 0 && m < 1) }):
		return refuse("milestones %v: want shares of the run, more than 0 and less than 1", r.Milestones)
	case r.Schedule == ScheduleSteps && len(r.Milestones) > 0 && r.StepFactor == 0:
		return refuse("step_factor 0: nothing would be learnt after the first milestone")
	case r.Crop < 0 || r.Crop > 1024:
		return refuse("crop %d: want 0 to 1024", r.Crop)
	case r.Cutout < 0 || r.Cutout > 1024:
		return refuse("cutout %d: want 0 to 1024", r.Cutout)
	case r.Flip != FlipNone && r.Flip != FlipRandom && r.Flip != FlipAlternating:
		return refuse("flip %q: want %s, %s or %s", r.Flip, FlipNone, FlipRandom, FlipAlternating)
	}
	return nil
}

// smallEpochs is the number of epochs, the first ones, at half the resolution.
func (r Recipe) smallEpochs() int { return wholeEpochs(r.Grow, r.Epochs) }

// uphillEpochs is the number of epochs, the last ones, whose gradients are taken uphill.
func (r Recipe) uphillEpochs() int {
	return min(wholeEpochs(r.SAMLast, r.Epochs), r.Epochs-r.smallEpochs())
}

// wholeEpochs is how many of the epochs a share of them is.
func wholeEpochs(share float64, epochs int) int { return int(math.Round(share * float64(epochs))) }

// inPixels is how many pixels of an image of size x size a recipe's number of pixels stands for: as large a part of it as that is of the source's.
func inPixels(n, size int) int { return n * size / model.SourceSize }

func (r Recipe) temperature() float64 {
	if r.Temperature == 0 {
		return 1
	}
	return r.Temperature
}

// taught is r for a run that has a teacher: it learns the teacher's answers alone, softened, and half of them about mixed images.
// docs/decisions/0005-recipe.md has the figures.
func (r Recipe) taught() Recipe {
	r.Distill, r.Temperature, r.Mix = 1, 4, 0.5
	return r
}

// longRun is the number of epochs from which preset fast takes longRate: what is quick for few epochs is only noise in many. A run that begins
// with another's weights takes it too: docs/decisions/0005-recipe.md has the figures of both.
const (
	longRun  = 20
	longRate = 0.1
)

// peak is the highest rate for a run of epochs, whose initial weights are drawn or another run's.
func (r Recipe) peak(epochs int, drawn bool) float64 {
	if r.Name == PresetFast && (epochs >= longRun || !drawn) {
		return longRate
	}
	return r.LR
}

// Rate is the learning rate of step (from 0) of a run of epochs of perEpoch steps each.
func (r Recipe) Rate(step, perEpoch int64) float64 {
	total := int64(r.Epochs) * perEpoch
	switch r.Schedule {
	case ScheduleSteps:
		// Milestones fall on whole epochs, as in the source: 0.3, 0.6 and 0.8 of 200 are 60, 120 and 160.
		epoch, lr := step/perEpoch, r.LR
		for _, m := range r.Milestones {
			if float64(epoch) >= max(1, math.Round(m*float64(r.Epochs))) {
				lr *= r.StepFactor
			}
		}
		return lr
	default:
		// The triangle's feet stand one step outside the run, so that no step has the rate zero.
		peak := r.Warmup * float64(total)
		at := float64(step) + 1
		if at <= peak {
			return r.LR * at / peak
		}
		return r.LR * (float64(total) + 1 - at) / (float64(total) + 1 - peak)
	}
}
