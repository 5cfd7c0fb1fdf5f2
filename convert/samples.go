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

// collect takes the samples, of g's one input, into memory: most are used several times.
func collect(ctx context.Context, g *graph.Graph, samples iter.Seq[[]float32]) ([][]float32, error) {
	if err := oneInput(g); err != nil {
		return nil, err
	}
	var all [][]float32
	if samples != nil {
		for x := range samples {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := fits(g, x); err != nil {
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

func oneInput(g *graph.Graph) error {
	if len(g.Inputs) != 1 {
		return fmt.Errorf("%w: %d inputs: want 1", ErrNetwork, len(g.Inputs))
	}
	return nil
}

// fits says what keeps a sample from being one of g's input.
func fits(g *graph.Graph, x []float32) error {
	if want := g.Inputs[0].Type.Elements(); len(x) != want {
		return fmt.Errorf("%d values: want %d", len(x), want)
	}
	return finite(x)
}

// runs is how many samples to look at where some dozen are enough, within these bounds: of a large network, which has more values
// in each, fewer. It is a number of whole batches.
func runs(g *graph.Graph, least, most int) int {
	const macs = 1e9
	return min(max(int(macs/max(work(g), 1))/mostAtOnce*mostAtOnce, least), most)
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

// crew runs one graph over many samples, a machine for each processor, which takes several samples at once where it can.
type crew struct {
	ctx   context.Context
	packs *interp.Packs
	g     *graph.Graph
	tap   func(h *hand, v *graph.Value, data any)
	hand  []*hand
}

// hand is one of a crew.
type hand struct {
	index   int // in the crew
	at      int // the sample that a tap sees
	first   int // of the samples being run
	count   int
	machine map[int]*interp.Machine // for so many samples at once
}

// newCrew is a crew for g, whose machines share packs. tap, if not nil, sees every value that a hand computes.
func newCrew(ctx context.Context, packs *interp.Packs, g *graph.Graph, tap func(h *hand, v *graph.Value, data any)) *crew {
	c := &crew{ctx: ctx, packs: packs, g: g, tap: tap}
	for i := range runtime.GOMAXPROCS(0) {
		c.hand = append(c.hand, &hand{index: i, machine: map[int]*interp.Machine{}})
	}
	return c
}

// each runs the graph on the inputs in(0) to in(n-1), any number at once and in any order. done, if not nil, gets what it
// gives for each; the slices hold until done returns. For a result that does not depend on the order, done and the tap keep
// what they find by the sample, or in a form whose sums are exact.
func (c *crew) each(n int, in func(i int) []any, done func(h *hand, i int, out []any)) error {
	size := atOnce(c.g, n, len(c.hand))
	g, origin := c.g, map[*graph.Value]*graph.Value(nil)
	if size > 1 {
		if g, origin = batched(c.g, size); g == nil {
			g, size = c.g, 1
		}
	}
	group, ctx := errgroup.WithContext(c.ctx)
	var next atomic.Int64
	for _, h := range c.hand {
		group.Go(func() error {
			for {
				if h.first = (int(next.Add(1)) - 1) * size; h.first >= n {
					return nil
				}
				h.count = min(size, n-h.first)
				if err := ctx.Err(); err != nil {
					return err
				}
				m, err := c.machine(h, g, origin, size)
				if err != nil {
					return err
				}
				out, err := m.Run(h.inputs(in, size)...)
				if err != nil {
					return err
				}
				for i := 0; done != nil && i < h.count; i++ {
					parts := make([]any, len(out))
					for k := range out {
						parts[k] = part(out[k], i, size)
					}
					done(h, h.first+i, parts)
				}
			}
		})
	}
	return group.Wait()
}

// machine is the hand's machine for so many samples at once.
func (c *crew) machine(h *hand, g *graph.Graph, origin map[*graph.Value]*graph.Value, size int) (*interp.Machine, error) {
	if m := h.machine[size]; m != nil {
		return m, nil
	}
	opts := interp.Options{Rounding: quant.Float32, Packs: c.packs} // XNNPACK's, which most will run
	if c.tap != nil {
		opts.Tap = func(v *graph.Value, data any) {
			if o := origin[v]; o != nil {
				v = o
			}
			for i := range h.count {
				h.at = h.first + i
				c.tap(h, v, part(data, i, size))
			}
		}
	}
	m, err := interp.New(g, opts)
	h.machine[size] = m
	return m, err
}

// inputs are those of the hand's samples, the last one repeated where there are too few.
func (h *hand) inputs(in func(i int) []any, size int) []any {
	first := in(h.first)
	if size == 1 {
		return first
	}
	all := make([]any, len(first))
	for k := range first {
		samples := make([]any, size)
		for i := range samples {
			samples[i] = in(h.first + min(i, h.count-1))[k]
		}
		all[k] = join(samples)
	}
	return all
}

// feed runs the graph, which has one input, over samples that it takes as they are.
func (c *crew) feed(samples [][]float32) error {
	return c.each(len(samples), func(i int) []any { return []any{samples[i]} }, nil)
}
