package convert

import (
	"fmt"
	"maps"
	"math"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
)

// Calibration tells what the ranges rest on, and whether that was enough.
type Calibration struct {
	Observer string  `json:"observer"`
	Samples  int     `json:"samples"`
	Curve    []Moved `json:"curve"`  // for growing numbers of samples
	Enough   bool    `json:"enough"` // the last doubling moved the ranges by less than EnoughMoved

	Warnings []string `json:"warnings,omitempty"` // what makes the samples doubtful
}

// Moved says how far the ranges of the first Samples samples are from those of half as many. A range's movement is the
// change of its two ends together, as a share of its width: 0.01 makes the quantization's step 1 % coarser or finer.
type Moved struct {
	Samples int     `json:"samples"`
	Mean    float64 `json:"mean"`       // over all activations
	Worst   float64 `json:"worst"`      // the largest
	Layer   string  `json:"worst_name"` // the activation that moved by it
}

// EnoughMoved is the mean movement in the last doubling under which more samples are not worth having: the step, and
// with it the rounding noise, is within 5 % (0.4 dB) of what it would be. Of minmax, ranges never stand still.
const EnoughMoved = 0.05

// firstLook is the number of samples the convergence curve begins with.
const firstLook = 8

// calibrate runs the float network over the samples and gives each activation the range that the recipe's observer
// chooses. The input's range is not observed where the normalization says what a pixel of 0 and of 255 becomes.
func calibrate(c *conversion) error {
	var err error
	if c.seen, err = c.observe(); err != nil {
		return err
	}
	curve := c.seen.curve
	ranges, err := c.choose(c.seen.values)
	if err != nil {
		return err
	}
	for i, v := range activations(c.g) {
		h, r := c.seen.values[i], ranges[i]
		if err := finite([]float32{h.Seen.Min, h.Seen.Max, r.Min, r.Max}); err != nil {
			return fmt.Errorf("activation %q: %w", v.Name, err)
		}
		v.Range = &r
	}
	if err := c.takeRanges(); err != nil {
		return err
	}
	if r, ok := pixelRange(c.g); ok {
		c.g.Inputs[0].Range = &r
	}
	c.calibration = &Calibration{
		Observer: c.recipe.Observer, Samples: len(c.samples),
		Curve: curve, Enough: len(curve) > 1 && curve[len(curve)-1].Mean < EnoughMoved,
		Warnings: c.doubts(),
	}
	c.float, c.twin = c.g.Clone()
	return nil
}

// takeRanges gives activations the ranges that the recipe has for them.
func (c *conversion) takeRanges() error {
	left := maps.Clone(c.recipe.Ranges)
	for _, v := range activations(c.g) {
		if r, ok := left[v.Name]; ok {
			v.Range = &r
			delete(left, v.Name)
		}
	}
	for name := range left {
		return fmt.Errorf("a range is given for %q, which is no activation of this network", name)
	}
	return nil
}

// fewSamples is the number under which samples are called few.
const fewSamples = 32

// doubts says what is wrong with samples that can be used and should not be.
func (c *conversion) doubts() (all []string) {
	if n := len(c.samples); n < fewSamples {
		all = append(all, fmt.Sprintf("%d calibration samples are few: ranges are steady from some hundred on", n))
	}
	constant := 0
	for _, x := range c.samples {
		if lo, hi := interp.Extremes(x); lo == hi {
			constant++
		}
	}
	if constant > 0 {
		all = append(all, fmt.Sprintf("%d of %d calibration samples are of one value throughout", constant, len(c.samples)))
	}
	for _, v := range activations(c.g) {
		if v.Range.Min == 0 && v.Range.Max == 0 {
			all = append(all, fmt.Sprintf("%q was 0 throughout: its range is empty, and its scale a stand-in", v.Name))
		}
	}
	return all
}

// activations are the values that a run computes, inputs included.
func activations(g *graph.Graph) []*graph.Value {
	vs := append([]*graph.Value{}, g.Inputs...)
	for _, n := range g.Nodes {
		vs = append(vs, n.Out)
	}
	return vs
}

// observation is what runs of the float network showed.
type observation struct {
	values []*Histogram      // of each of the activations
	curve  []Moved           // of their ranges; nil in a trial
	taps   map[int]*tapMeans // of each node with weights, by its place, over the correcting samples; nil if nobody wants them
}

// countedSamples is how many samples' values are counted one by one. Of more samples, so many times as many, the counts take
// a stretch of values in turn; the smallest and the largest are always those of all.
const countedSamples = 128

// In a trial the counts take one stretch of trialShare of an activation with so many values.
const largeActivation, trialShare = 4096, 4

// observe runs the float network over the samples.
func (c *conversion) observe() (*observation, error) {
	if c.memo != nil && c.memo.seen[c.recipe.Equalize] != nil {
		return c.memo.seen[c.recipe.Equalize], nil
	}
	values := activations(c.g)
	o := &observation{values: histograms(len(values))}
	share, correcting := (len(c.samples)+countedSamples-1)/countedSamples, evenly(c.correcting(), len(c.samples))
	place, readers := map[*graph.Value]int{}, map[*graph.Value][]*tapMeans{}
	for i, v := range values {
		place[v] = i
	}
	if c.memo != nil || c.recipe.CorrectBias == On {
		o.taps = map[int]*tapMeans{}
		for i, n := range c.g.Nodes {
			if weighted(n) {
				o.taps[i] = &tapMeans{tapSummer: newTapSummer(newView(n)), part: make([][]float32, len(correcting))}
				readers[n.In[0]] = append(readers[n.In[0]], o.taps[i])
			}
		}
	}
	counting := c.memo != nil || c.recipe.Observer != "minmax" // a trial may be for any
	var part [][]*Histogram                                    // of each hand
	offset := 0
	crew := newCrew(c.ctx, &c.works.packs, c.g, func(h *hand, v *graph.Value, data any) {
		x, at := data.([]float32), offset+h.at
		if counting {
			share := share
			if c.memo != nil && len(x) >= largeActivation {
				share = trialShare
			}
			part[h.index][place[v]].observe(x, at, share)
		} else {
			part[h.index][place[v]].see(x)
		}
		if k, ok := correcting[at]; ok {
			for _, t := range readers[v] {
				t.see(k, x)
			}
		}
	})
	var before []graph.Interval
	for range crew.hand {
		part = append(part, histograms(len(values)))
	}
	for from, to := 0, 0; from < len(c.samples); from = to {
		to = min(max(firstLook, 2*from), len(c.samples))
		if c.memo != nil {
			to = len(c.samples) // nobody looks at the curve
		}
		offset = from
		if err := crew.feed(c.samples[from:to]); err != nil {
			return nil, err
		}
		for _, p := range part {
			for i, h := range p {
				o.values[i].Merge(h)
				h.reset()
			}
		}
		if c.memo != nil {
			break // and what ranges are chosen is another matter
		}
		ranges, err := c.choose(o.values)
		if err != nil {
			return nil, err
		}
		m := Moved{Samples: to}
		for i, old := range before {
			d := movement(old, ranges[i])
			m.Mean += d / float64(len(values))
			if d > m.Worst {
				m.Worst, m.Layer = d, values[i].Name
			}
		}
		o.curve, before = append(o.curve, m), ranges
	}
	if c.memo != nil {
		c.memo.seen[c.recipe.Equalize] = o
	}
	return o, nil
}

// choose is the range that the recipe's observer chooses for each.
func (c *conversion) choose(seen []*Histogram) ([]graph.Interval, error) {
	choose, ranges := Observers[c.recipe.Observer], make([]graph.Interval, len(seen))
	return ranges, parallel(c.ctx, len(seen), func(i int) { ranges[i] = choose(seen[i]) })
}

func histograms(n int) []*Histogram {
	hs := make([]*Histogram, n)
	for i := range hs {
		hs[i] = NewHistogram()
	}
	return hs
}

// movement is how far the ends of a range went, as a share of its width. Zero is in every range.
func movement(old, now graph.Interval) float64 {
	lo, hi := func(r graph.Interval) float64 { return float64(min(r.Min, 0)) }, func(r graph.Interval) float64 { return float64(max(r.Max, 0)) }
	width := hi(now) - lo(now)
	if !(width > 0) {
		return 0
	}
	return (math.Abs(hi(now)-hi(old)) + math.Abs(lo(now)-lo(old))) / width
}

// pixelRange is what pixels 0 and 255 become, for a network whose normalization is the same for all channels.
func pixelRange(g *graph.Graph) (graph.Interval, bool) {
	if len(g.Meta.Mean) != 1 || len(g.Meta.Std) != 1 || !(g.Meta.Std[0] > 0) {
		return graph.Interval{}, false
	}
	mean, std := g.Meta.Mean[0], g.Meta.Std[0]
	return graph.Interval{Min: (0 - mean) / std, Max: (255 - mean) / std}, true
}
