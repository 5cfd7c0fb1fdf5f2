package train

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"mnet-edge/model"
)

// weights copies the weights from the device and sees that they can be stored.
func (r *run) weights() (weights, momenta model.Weights, err error) {
	weights, momenta, err = r.t.download()
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(weights.Finite(), momenta.Finite()); err != nil {
		return nil, nil, fmt.Errorf("train: after step %d: %w: %w", r.step, err, ErrDiverged)
	}
	return weights, momenta, nil
}

// checkpoint is one of the run at its present step, of these weights.
func (r *run) checkpoint(weights model.Weights) *model.Checkpoint {
	return &model.Checkpoint{
		Spec: r.c.Spec, Input: r.record.Input, Labels: r.set.Classes, Weights: weights, Ranges: r.t.ranges, Step: r.step, Epoch: r.epoch,
		Metrics: map[string]float64{}, State: map[string]string{
			"data_sha256": r.set.SHA256, "val_sha256": r.valSum, "preset": r.recipe.Name, "seed": strconv.FormatUint(r.c.Seed, 10),
		},
	}
}

// saveBest stores the weights that epoch row ended with, and its figures.
func (r *run) saveBest(weights model.Weights, row epochRow, more map[string]float64) error {
	c := r.checkpoint(weights)
	c.Step, c.Epoch = row.Step, row.Epoch
	c.Metrics["val_top1"], c.Metrics["val_loss"], c.Metrics["val_n"] = row.ValTop1, row.ValLoss, float64(r.val.N)
	for name, v := range more {
		c.Metrics[name] = v
	}
	return model.SaveOn(r.c.files, filepath.Join(r.c.Out, "checkpoint"), "best", c)
}

// saveLast stores all that the run needs to go on from here.
func (r *run) saveLast() error {
	weights, momenta, err := r.weights()
	if err != nil {
		return err
	}
	c := r.checkpoint(weights)
	c.Optimizer = model.Weights{}
	for name, m := range momenta {
		c.Optimizer[momentumPrefix+name] = m
	}
	c.State["history"] = r.history.encode()
	c.State["epoch_loss"] = strconv.FormatFloat(r.sums.loss, 'g', -1, 64)
	c.State["epoch_correct"] = strconv.FormatInt(r.sums.correct, 10)
	c.State["epoch_seconds"] = strconv.FormatFloat(r.epochSeconds(), 'f', 3, 64)
	c.State["seconds"] = strconv.FormatFloat(r.elapsed(), 'f', 3, 64)
	if err := model.SaveOn(r.c.files, filepath.Join(r.c.Out, "checkpoint"), "last", c); err != nil {
		return err
	}
	r.saved = time.Now()
	return nil
}

// momentumPrefix marks the momenta among a checkpoint's optimizer state.
const momentumPrefix = "momentum."

// momentaOf returns c's momenta by parameter, nil where it has none.
func momentaOf(c *model.Checkpoint) model.Weights {
	if c.Optimizer == nil {
		return nil
	}
	m := model.Weights{}
	for _, p := range c.Spec.Params() {
		if p.Trainable {
			m[p.Name] = c.Optimizer[momentumPrefix+p.Name]
		}
	}
	return m
}

// checkOwn reports what makes c a checkpoint of another run.
func (r *run) checkOwn(c *model.Checkpoint) error {
	if c.Spec != r.c.Spec {
		return fmt.Errorf("is of net %s, this run trains %s", c.Spec.Name(), r.c.Spec.Name())
	}
	for key, want := range map[string]string{"seed": strconv.FormatUint(r.c.Seed, 10), "data_sha256": r.set.SHA256} {
		if got := c.State[key]; got != "" && got != want {
			return fmt.Errorf("is of a run with %s %s, this one has %s", key, got, want)
		}
	}
	return nil
}

// restore puts the run where checkpoint c left it.
func (r *run) restore(c *model.Checkpoint) error {
	refuse := func(err error) error {
		return fmt.Errorf("train: %s: %w: %w", r.folder("last"), err, model.ErrCheckpoint)
	}
	if err := r.checkOwn(c); err != nil {
		return refuse(err)
	}
	if c.Optimizer == nil {
		return refuse(errors.New("has no optimizer state"))
	}
	for name, m := range momentaOf(c) {
		if len(m.Data) != len(c.Weights[name].Data) {
			return refuse(fmt.Errorf("%d momenta for %d values of %s", len(m.Data), len(c.Weights[name].Data), name))
		}
	}
	var failed error
	parse := func(key string) float64 {
		v, err := strconv.ParseFloat(c.State[key], 64)
		failed = errors.Join(failed, err)
		return v
	}
	r.step, r.epoch, r.seconds = c.Step, c.Epoch, parse("seconds")
	r.sums = sums{loss: parse("epoch_loss"), correct: int64(parse("epoch_correct"))}
	if c.State["epoch_seconds"] != "" { // older checkpoints lack it
		r.sums.seconds = parse("epoch_seconds")
	}
	history, err := decodeHistory(c.State["history"])
	r.history = history
	if err := errors.Join(failed, err); err != nil {
		return refuse(err)
	}
	inEpoch := r.step - int64(r.epoch)*r.perEpoch()
	if r.epoch < 0 || len(r.history) != r.epoch || inEpoch < 0 || inEpoch > r.perEpoch() {
		return refuse(fmt.Errorf("step %d and epoch %d do not belong together", r.step, r.epoch))
	}
	return nil
}
