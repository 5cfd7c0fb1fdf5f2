package infer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"mnet-edge/clock"
)

// Accuracy is the share of images whose class got the highest score.
type Accuracy struct {
	Top1    float64    `json:"top1"` // Correct / N, 0..1
	CI95    [2]float64 `json:"ci95"` // 95 % interval of Top1
	N       int        `json:"n"`
	Correct int        `json:"correct"`
}

// normal975 is the normal distribution's 97.5 % quantile: what a 95 % interval reaches to either side, in standard deviations.
const normal975 = 1.959963984540054

// NewAccuracy is correct of n with its Wilson score interval (Wilson, JASA 22, 1927), which unlike the usual one stays
// within 0..1 and holds near the ends. n is at least 1.
func NewAccuracy(correct, n int) Accuracy {
	const z = normal975
	p, m := float64(correct)/float64(n), float64(n)
	center := p + z*z/(2*m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	norm := 1 + z*z/m
	return Accuracy{
		Top1: p,
		// At the ends the interval is exact; rounding must not carry it past p.
		CI95:    [2]float64{max(min((center-half)/norm, p), 0), min(max((center+half)/norm, p), 1)},
		N:       n,
		Correct: correct,
	}
}

// Evaluation is how well a model does on images, and how long it takes over one.
type Evaluation struct {
	Accuracy Accuracy
	Right    []bool // image by image, whether its class got the highest score
	Latency  Latency
	Around   Around
}

// Around is what else is done for an image, in microseconds, the medians over the images. None of it is in a Latency.
type Around struct {
	Decode      float64 `json:"decode,omitempty"` // reading a file, decoding it, bringing it to the input's size; 0: done beforehand
	Preprocess  float64 `json:"preprocess"`       // from pixels of the input's size to the input tensor, and writing it
	Postprocess float64 `json:"postprocess"`      // reading the output tensor, and from it to scores and classes
}

// Evaluate classifies the images, pixels (H, W, 3) of the model's input size with their class, and scores and times the
// same Invoke calls; what goes on around them is timed apart. The first image is that of the warm-up, which is all that
// is taken of the options. It is an error when there are no images.
func Evaluate(ctx context.Context, m *Model, s Session, images iter.Seq2[[]byte, int], opts MeasureOptions) (Evaluation, error) {
	fail := func(err error) (Evaluation, error) { return Evaluation{}, err }
	in, out := make([]byte, m.Input.Type.Bytes()), make([]byte, m.Output.Type.Bytes())
	scores := make([]float32, m.Classes)
	c := newStopwatch(1 << 14)
	var before, after []time.Duration
	var right []bool
	correct := 0
	for rgb, class := range images {
		if err := ctx.Err(); err != nil {
			return fail(err)
		}
		if class < 0 || class >= m.Classes {
			return fail(fmt.Errorf("infer: image %d is of class %d, the model has %d", len(right), class, m.Classes))
		}
		start := clock.Now()
		if err := m.Preprocess(in, rgb); err != nil {
			return fail(err)
		}
		if err := s.Write(in); err != nil {
			return fail(err)
		}
		before = append(before, clock.Since(start))
		if len(right) == 0 {
			if err := c.warmUp(ctx, s, opts); err != nil {
				return fail(err)
			}
		}
		if err := c.invoke(s); err != nil {
			return fail(err)
		}
		start = clock.Now()
		if err := s.Read(out); err != nil {
			return fail(err)
		}
		if err := m.Scores(scores, out); err != nil {
			return fail(fmt.Errorf("image %d: %w", len(right), err))
		}
		hit := argmax(scores) == class
		if right = append(right, hit); hit {
			correct++
		}
		after = append(after, clock.Since(start))
	}
	if len(right) == 0 {
		return fail(errors.New("infer: no images to evaluate"))
	}
	around := Around{Preprocess: MedianMicroseconds(before), Postprocess: MedianMicroseconds(after)}
	return Evaluation{NewAccuracy(correct, len(right)), right, c.latency(), around}, nil
}
