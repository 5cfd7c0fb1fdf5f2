package convert

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/quant"
)

// collect takes the samples into memory: most are used several times.
func collect(ctx context.Context, samples iter.Seq[[]float32]) ([][]float32, error) {
	var all [][]float32
	if samples != nil {
		for x := range samples {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := finite(x); err != nil {
				return nil, fmt.Errorf("%w: sample %d: %w", ErrCalibration, len(all), err)
			}
			all = append(all, slices.Clone(x))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no samples", ErrCalibration)
	}
	return all, nil
}

// spread is at most n of the samples, spread evenly.
func spread(samples [][]float32, n int) [][]float32 {
	if n >= len(samples) {
		return samples
	}
	some := make([][]float32, n)
	for at, i := range evenly(n, len(samples)) {
		some[i] = samples[at]
	}
	return some
}

// evenly is the places, out of total, of at most n things spread evenly, and which of them is at each.
func evenly(n, total int) map[int]int {
	places := map[int]int{}
	n = min(n, total)
	for i := range n {
		places[(2*i+1)*total/(2*n)] = i
	}
	return places
}

// crew runs one graph over many inputs, a machine for each processor.
type crew struct {
	ctx  context.Context
	hand []*hand
}

// hand is one machine of a crew.
type hand struct {
	*interp.Machine
	index int // in the crew
	at    int // the input being run
}

// newCrew prepares machines for g, which share packs. tap, if not nil, sees every value that a hand computes.
func newCrew(ctx context.Context, packs *interp.Packs, g *graph.Graph, tap func(h *hand, v *graph.Value, data any)) (*crew, error) {
	c := &crew{ctx: ctx}
	var err error
	for i := range runtime.GOMAXPROCS(0) {
		h := &hand{index: i}
		opts := interp.Options{Rounding: quant.Float32, Packs: packs} // XNNPACK's, which most will run
		if tap != nil {
			opts.Tap = func(v *graph.Value, data any) { tap(h, v, data) }
		}
		if h.Machine, err = interp.New(g, opts); err != nil {
			return nil, err
		}
		c.hand = append(c.hand, h)
	}
	return c, nil
}

// each runs f(h, i) for i from 0 to n-1, any number at once and in any order. For a result that does not depend on the
// order, f keeps what it finds by i, or in a form whose sums are exact.
func (c *crew) each(n int, f func(h *hand, i int) error) error {
	group, ctx := errgroup.WithContext(c.ctx)
	var next atomic.Int64
	for _, h := range c.hand {
		group.Go(func() error {
			for {
				h.at = int(next.Add(1)) - 1
				if h.at >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := f(h, h.at); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// feed runs the graph, which has one input, over the samples.
func (c *crew) feed(samples [][]float32) error {
	return c.each(len(samples), func(h *hand, i int) error {
		_, err := h.Run(samples[i])
		return err
	})
}
