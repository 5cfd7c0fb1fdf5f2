package convert

import (
	"fmt"
	"maps"
	"math"
	"slices"

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

// firstLook is the least number of samples the convergence curve begins with.
const firstLook = 8

// calibrate runs the float network over the samples and gives each activation the range that the recipe's observer
// chooses. The input's range is not observed where the normalization says what a pixel of 0 and of 255 becomes.
func calibrate(c *conversion) error {
	var err error
	if c.seen, err = c.seeing(); err != nil {
		return err
	}
	curve, err := c.curve(c.seen)
	if err != nil {
		return err
	}
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
	levels []level           // what was seen on the way, for the curve; nil in a trial
	fit    []*Histogram      // of the samples that trials may take ranges from, where somebody will try
	taps   map[int]*tapMeans // of each node with weights, by its place, over the samples for refine; nil if nobody wants them
}

// level is what some samples showed.
type level struct {
	samples int
	values  []*Histogram
}

// countedValues is how many values of an activation are counted one by one. Where there are more, so many times as many, the counts
// take a stretch of values in turn; the smallest and the largest are always those of all. Histograms have a few thousand bins.
const countedValues = 1 << 18

// seeing is the observation that the recipe's ranges rest on: in a trial, and where a trial made it already, one made before.
func (c *conversion) seeing() (*observation, error) {
	if c.memo == nil {
		if o := c.works.seen[c.recipe.Equalize]; o != nil {
			return o, nil
		}
		return c.observe(c.recipe.Observer != "minmax", c.recipe.CorrectBias == On, false)
	}
	if o := c.memo.seen[c.recipe.Equalize]; o != nil {
		return o, nil
	}
	o, err := c.look()
	c.memo.seen[c.recipe.Equalize] = o
	return o, err
}

// look is a trial's observation, which may serve any recipe. Where it looks at all samples it takes ranges from those that are not held
// out, and leaves those of all to the conversion that follows. A range from the smallest to the largest value grows with each sample:
// that of a few would clip what others hold, and flatter itself on the rest.
func (c *conversion) look() (*observation, error) {
	if c.all == nil {
		return c.observe(true, true, false)
	}
	whole := *c
	whole.memo, whole.samples = nil, c.all
	o, err := whole.observe(true, true, true)
	if err != nil {
		return nil, err
	}
	c.works.seen[c.recipe.Equalize] = o
	return &observation{values: o.fit, taps: o.taps}, nil
}

// observe runs the float network over the samples. What is only for some recipes is gathered where it is asked for: counts of
// values, beside the ends of their range, what taps see, and the counts apart of the samples that trials take ranges from.
func (c *conversion) observe(counting, taps, apart bool) (*observation, error) {
	values := activations(c.g)
	o := &observation{values: histograms(len(values))}
	refining := c.refining()
	place, readers := map[*graph.Value]int{}, map[*graph.Value][]*tapMeans{}
	for i, v := range values {
		place[v] = i
	}
	if taps {
		o.taps = map[int]*tapMeans{}
		for i, n := range c.g.Nodes {
			if weighted(n) {
				o.taps[i] = &tapMeans{tapSummer: newTapSummer(newView(n)), part: make([][]float32, len(refining))}
				readers[n.In[0]] = append(readers[n.In[0]], o.taps[i])
			}
		}
	}
	var part, other [][]*Histogram // of each hand; other: of the samples held out
	offset := 0
	crew := newCrew(c.ctx, &c.works.packs, c.g, func(h *hand, v *graph.Value, data any) {
		x, at := data.([]float32), offset+h.at
		to := part
		if apart && holdsOut(at) {
			to = other
		}
		if counting {
			to[h.index][place[v]].observe(x, at, (len(c.samples)*len(x)+countedValues-1)/countedValues)
		} else {
			to[h.index][place[v]].see(x)
		}
		if k, ok := refining[at]; ok {
			for _, t := range readers[v] {
				t.see(k, x)
			}
		}
	})
	for range crew.hand {
		part = append(part, histograms(len(values)))
		if apart {
			other = append(other, histograms(len(values)))
		}
	}
	if apart {
		o.fit = histograms(len(values))
	}
	from := 0
	for _, to := range c.doublings() {
		offset = from
		if err := crew.feed(c.samples[from:to]); err != nil {
			return nil, err
		}
		from = to
		for _, p := range part {
			for i, h := range p {
				if apart {
					o.fit[i].Merge(h)
				}
				o.values[i].Merge(h)
				h.reset()
			}
		}
		for _, p := range other {
			for i, h := range p {
				o.values[i].Merge(h)
				h.reset()
			}
		}
		if c.memo == nil {
			l := level{to, histograms(len(values))}
			for i, h := range o.values {
				l.values[i].Merge(h)
			}
			o.levels = append(o.levels, l)
		}
	}
	return o, nil
}

// doublings are the numbers of samples at which the curve is looked at: all of them last, and before each number half of it, down to firstLook.
// A trial's curve nobody looks at.
func (c *conversion) doublings() []int {
	at := []int{len(c.samples)}
	for n := len(c.samples) / 2; n >= firstLook && c.memo == nil; n /= 2 {
		at = append(at, n)
	}
	slices.Reverse(at)
	return at
}

// curve says how far the recipe's ranges moved from level to level.
func (c *conversion) curve(o *observation) (curve []Moved, err error) {
	var before []graph.Interval
	values := activations(c.g)
	for _, l := range o.levels {
		ranges, err := c.choose(l.values)
		if err != nil {
			return nil, err
		}
		m := Moved{Samples: l.samples}
		for i, old := range before {
			d := movement(old, ranges[i])
			m.Mean += d / float64(len(ranges))
			if d > m.Worst {
				m.Worst, m.Layer = d, values[i].Name
			}
		}
		curve, before = append(curve, m), ranges
	}
	return curve, nil
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
//
// In 255 steps of that range pixel p is p - mean steps from 0, where an integer must be: with a mean of 127.5, as half of all networks have it,
// every pixel lies in the middle between two, and which one it becomes is up to how a program rounds. A mean so far from a whole number
// gets 254 steps, half of one to spare at either end. What pixels are off by then is spread evenly over half a step, 1/12 in the mean of
// squares, less than f^2 of a mean that is f away.
func pixelRange(g *graph.Graph) (graph.Interval, bool) {
	if len(g.Meta.Mean) != 1 || len(g.Meta.Std) != 1 || !(g.Meta.Std[0] > 0) {
		return graph.Interval{}, false
	}
	mean, std := g.Meta.Mean[0], g.Meta.Std[0]
	r := graph.Interval{Min: (0 - mean) / std, Max: (255 - mean) / std}
	if f := float64(mean) - math.Round(float64(mean)); f*f > 1./12 {
		spare := (r.Max - r.Min) / 254 / 2
		r.Min, r.Max = r.Min-spare, r.Max+spare
	}
	return r, true
}
