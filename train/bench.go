package train

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gomlx/compute"

	"mnet-edge/model"
)

// StepBench runs the training step of a network on one random batch, over and over: what Run does between two batches of
// the loader, and nothing else. It is for comparing the step with other frameworks'.
type StepBench struct {
	backend compute.Backend
	trainer *trainer
	pixels  []byte
	labels  []int32
}

// NewStepBench compiles the step of c (Spec, Preset, Batch, Backend, Plugin, Devices and Seed count) and runs it three times, so
// that Run is steady from its first step on.
func NewStepBench(c Config) (*StepBench, error) {
	if c.Out == "" {
		c.Out = "none" // a bench writes nothing
	}
	c, r, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	be, name, _, err := openBackend(c)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(c.Seed, 0))
	b := &StepBench{backend: be, pixels: make([]byte, r.Batch*c.Spec.Size*c.Spec.Size*3), labels: make([]int32, r.Batch)}
	for i := range b.pixels {
		b.pixels[i] = byte(rng.Uint32())
	}
	for i := range b.labels {
		b.labels[i] = int32(rng.IntN(c.Spec.Classes))
	}
	b.trainer, err = newTrainer(be, c.Spec, model.Input{Mean: 128, Std: 64}, r, c.sharing(name), 2, initialWeights(c.Spec, r.Identity, rng), nil)
	if err == nil {
		_, err = b.Run(3)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Run does the given number of steps and returns images a second.
func (b *StepBench) Run(steps int) (imagesPerSecond float64, err error) {
	began := time.Now()
	for range steps {
		loss, _, err := b.trainer.Step(b.pixels, b.labels, 1e-3)
		if err != nil {
			return 0, err
		}
		if !finite(loss) {
			return 0, fmt.Errorf("train: loss is %v: %w", loss, ErrDiverged)
		}
	}
	return float64(steps*len(b.labels)) / time.Since(began).Seconds(), nil
}

// Devices is how many share each batch.
func (b *StepBench) Devices() int { return max(1, b.trainer.devices) }

// Close gives the device back.
func (b *StepBench) Close() {
	if b.trainer != nil {
		b.trainer.close()
	}
	b.backend.Finalize()
}
