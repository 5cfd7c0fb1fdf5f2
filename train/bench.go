package train

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/gomlx/compute"

	"mnet-edge/dataset"
	"mnet-edge/model"
)

// StepBench runs the training step of a network over and over, on one random batch or on what the loader makes of random images: what Run does
// within an epoch, and nothing else. It is for comparing that with other frameworks'.
type StepBench struct {
	backend compute.Backend
	trainer *trainer
	next    func() (*dataset.Batch, bool)
	stop    func()
}

// benchBatches is how many batches an epoch of StepBench has.
const benchBatches = 64

// NewStepBench compiles the step of c (Spec, Preset, Batch, Backend, Plugin, Devices and Seed count) and runs it three times, so
// that Run is steady from its first step on. With loop the batches are shuffled and augmented by the loader, as c's preset has it.
func NewStepBench(c Config, loop bool) (*StepBench, error) {
	if c.Out == "" {
		c.Out = "none" // a bench writes nothing
	}
	c, r, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(c.Seed, 0))
	images, input := randomImages(rng, c.Spec, benchBatches*r.Batch), model.Input{Mean: 128, Std: 64}
	loader, err := newLoader(images, c, r, input)
	if err != nil {
		return nil, err
	}
	be, name, _, err := openBackend(c)
	if err != nil {
		return nil, err
	}
	b := &StepBench{backend: be}
	b.next, b.stop = iter.Pull(endless(loader, loop))
	b.trainer, err = newTrainer(be, c.Spec, input, r, c.sharing(name), 2, initialWeights(c.Spec, r.Identity, rng), nil)
	if err == nil {
		_, err = b.Run(3)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// randomImages are n images that s takes.
func randomImages(rng *rand.Rand, s model.Spec, n int) *dataset.Split {
	images := &dataset.Split{N: n, H: s.Size, W: s.Size, Pixels: make([]byte, n*s.Size*s.Size*3), Labels: make([]uint16, n)}
	for i := range images.Pixels {
		images.Pixels[i] = byte(rng.Uint32())
	}
	for i := range images.Labels {
		images.Labels[i] = uint16(rng.IntN(s.Classes))
	}
	return images
}

// endless yields l's batches epoch by epoch, or the first of them over and over.
func endless(l *dataset.Loader, all bool) iter.Seq[*dataset.Batch] {
	return func(yield func(*dataset.Batch) bool) {
		for epoch := 0; ; epoch++ {
			for b := range l.Epoch(epoch, 0) {
				for {
					if !yield(b) {
						return
					}
					if all {
						break
					}
				}
			}
		}
	}
}

// Run does the given number of steps and returns images a second.
func (b *StepBench) Run(steps int) (imagesPerSecond float64, err error) {
	began := time.Now()
	for range steps {
		batch, _ := b.next()
		loss, _, err := b.trainer.Step(batch.Pixels, batch.Labels, 1e-3)
		if err != nil {
			return 0, err
		}
		if !finite(loss) {
			return 0, fmt.Errorf("train: loss is %v: %w", loss, ErrDiverged)
		}
	}
	return float64(steps*b.trainer.recipe.Batch) / time.Since(began).Seconds(), nil
}

// Devices is how many share each batch.
func (b *StepBench) Devices() int { return max(1, b.trainer.devices) }

// Close gives the device back.
func (b *StepBench) Close() {
	b.stop()
	if b.trainer != nil {
		b.trainer.close()
	}
	b.backend.Finalize()
}
