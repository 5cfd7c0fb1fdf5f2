package convert

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
)

// Observer watches the values of one activation over the calibration samples and proposes its range. Merging in any
// order must give the same range, so that the result does not depend on how samples were spread over processors.
type Observer interface {
	Observe(values []float32)
	Merge(other Observer)
	Range() graph.Interval
}

// Observers are the known kinds, by the name that a recipe and --calibrator use.
var Observers = map[string]func() Observer{
	"minmax": func() Observer { return &minMax{graph.Interval{Min: math.MaxFloat32, Max: -math.MaxFloat32}} },
}

// minMax takes the smallest and the largest value seen.
type minMax struct{ seen graph.Interval }

func (m *minMax) Observe(values []float32) {
	for _, x := range values {
		m.seen.Min, m.seen.Max = min(m.seen.Min, x), max(m.seen.Max, x)
	}
}

func (m *minMax) Merge(other Observer) {
	o := other.(*minMax).seen
	m.seen.Min, m.seen.Max = min(m.seen.Min, o.Min), max(m.seen.Max, o.Max)
}

func (m *minMax) Range() graph.Interval { return m.seen }

// calibrate runs the float network over the samples, on every processor, and gives each activation the range that its
// observers propose. The input's range is not observed where the normalization says what a pixel of 0 and of 255 becomes.
func calibrate(c *conversion) error {
	newObserver, ok := Observers[c.recipe.Observer]
	if !ok {
		return fmt.Errorf("unknown observer %q", c.recipe.Observer)
	}
	if len(c.g.Inputs) != 1 {
		return fmt.Errorf("%d inputs: want 1", len(c.g.Inputs))
	}
	if c.samples == nil {
		return fmt.Errorf("%w: no samples", ErrCalibration)
	}
	work := make(chan []float32)
	total := map[*graph.Value]Observer{}
	count := 0
	group, ctx := errgroup.WithContext(c.ctx)
	group.Go(func() error {
		defer close(work)
		for x := range c.samples {
			if err := finite(x); err != nil {
				return fmt.Errorf("%w: sample %d: %w", ErrCalibration, count, err)
			}
			select {
			case work <- slices.Clone(x):
				count++
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	watchers := make([]map[*graph.Value]Observer, runtime.GOMAXPROCS(0))
	for i := range watchers {
		seen := map[*graph.Value]Observer{}
		watchers[i] = seen
		m, err := interp.New(c.g, interp.Options{Tap: func(v *graph.Value, data any) {
			if seen[v] == nil {
				seen[v] = newObserver()
			}
			seen[v].Observe(data.([]float32))
		}})
		if err != nil {
			return err
		}
		group.Go(func() error {
			for x := range work {
				if _, err := m.Run(x); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if count == 0 {
		return fmt.Errorf("%w: no samples", ErrCalibration)
	}
	for _, seen := range watchers {
		for v, o := range seen {
			if total[v] == nil {
				total[v] = newObserver()
			}
			total[v].Merge(o)
		}
	}
	for v, o := range total {
		r := o.Range()
		if err := finite([]float32{r.Min, r.Max}); err != nil {
			return fmt.Errorf("activation %q: %w", v.Name, err)
		}
		v.Range = &r
	}
	if r, ok := pixelRange(c.g); ok {
		c.g.Inputs[0].Range = &r
	}
	c.calibration = &Calibration{Observer: c.recipe.Observer, Samples: count}
	return nil
}

// pixelRange is what pixels 0 and 255 become, for a network whose normalization is the same for all channels.
func pixelRange(g *graph.Graph) (graph.Interval, bool) {
	if len(g.Meta.Mean) != 1 || len(g.Meta.Std) != 1 || !(g.Meta.Std[0] > 0) {
		return graph.Interval{}, false
	}
	mean, std := g.Meta.Mean[0], g.Meta.Std[0]
	return graph.Interval{Min: (0 - mean) / std, Max: (255 - mean) / std}, true
}
