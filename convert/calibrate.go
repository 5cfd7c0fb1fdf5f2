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
	if c.seen, err = c.observed(); err != nil {
		return err
	}
	curve, err := c.curve(c.seen)
	if err != nil {
		return err
	}
	ranges, err := c.chooseRanges(c.seen.values)
	if err != nil {
		return err
	}
	for i, v := range activations(c.g) {
		h, r := c.seen.values[i], ranges[i]
		if err := finite([]float32{h.seen.Min, h.seen.Max, r.Min, r.Max}); err != nil {
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
	values []*histogram      // of each of the activations
	levels []level           // what was seen on the way, for the curve; nil in a trial
	fit    []*histogram      // of the samples that trials may take ranges from, where somebody will try
	taps   map[int]*tapMeans // of each node with weights, by its place, over the samples for refine; nil if nobody wants them
}

// level is what some samples showed.
type level struct {
	samples int
	values  []*histogram
}

// countedValues is about how many values of an activation are counted. If there are k times as many, each sample contributes every k-th stretch
// of 64. The smallest and the largest always come from all values. Histograms have a few thousand bins.
const countedValues = 1 << 18

// observed is the observation that the recipe's ranges rest on: in a trial, and where a trial made it already, one made before.
func (c *conversion) observed() (*observation, error) {
	if !c.inTrial() {
		if o := c.works.seen[c.recipe.Equalize]; o != nil {
			return o, nil
		}
		return c.observe(gathering{counts: observerNamed(c.recipe.Observer).counts, taps: c.recipe.CorrectBias == On})
	}
	if o := c.memo.seen[c.recipe.Equalize]; o != nil {
		return o, nil
	}
	o, err := c.look()
	c.memo.seen[c.recipe.Equalize] = o
	return o, err
}

// look is a trial's observation, good for any recipe. Ranges come only from samples that are not held out: a range from the smallest to the
// largest value of few samples clips what others hold, and a trial must see that. If all samples were observed, the observation over all is
// kept for the conversion that follows.
func (c *conversion) look() (*observation, error) {
	if c.all == nil {
		return c.observe(gathering{counts: true, taps: true})
	}
	whole := *c
	whole.memo, whole.samples = nil, c.all
	o, err := whole.observe(gathering{counts: true, taps: true, apart: true})
	if err != nil {
		return nil, err
	}
	c.works.seen[c.recipe.Equalize] = o
	return &observation{values: o.fit, taps: o.taps}, nil
}

// gathering is what an observation is to hold beside the smallest and the largest value of each activation.
type gathering struct {
	counts bool // of values of each size
	taps   bool // what the layers' weights are multiplied by
	apart  bool // the same without the samples held out, which trials may take ranges from
}

// observe runs the float network over the samples.
func (c *conversion) observe(want gathering) (*observation, error) {
	g := newGatherer(c, want)
	crew := newCrew(c.ctx, &c.works.packs, c.g, g.see)
	g.employ(len(crew.hand))
	for _, to := range c.doublings() {
		if err := crew.feed(c.samples[g.from:to]); err != nil {
			return nil, err
		}
		g.from = to
		g.merge()
		if !c.inTrial() {
			l := level{to, histograms(len(g.o.values))}
			mergeEach(l.values, g.o.values)
			g.o.levels = append(g.o.levels, l)
		}
	}
	return g.o, nil
}

// gatherer fills an observation. Each hand has histograms of its own, which are merged when all have seen some samples.
type gatherer struct {
	gathering
	o        *observation
	from     int // the first of the samples being run
	total    int
	place    map[*graph.Value]int // among the activations
	readers  map[*graph.Value][]*tapMeans
	refining map[int]int
	hands    []handSaw
}

// handSaw is what one hand has seen since the last merge; held: of samples held out, if these are kept apart.
type handSaw struct{ fit, held []*histogram }

func newGatherer(c *conversion, want gathering) *gatherer {
	values := activations(c.g)
	g := &gatherer{
		gathering: want, o: &observation{values: histograms(len(values))}, total: len(c.samples),
		place: map[*graph.Value]int{}, readers: map[*graph.Value][]*tapMeans{}, refining: c.refining(),
	}
	for i, v := range values {
		g.place[v] = i
	}
	if want.apart {
		g.o.fit = histograms(len(values))
	}
	if want.taps {
		g.o.taps = map[int]*tapMeans{}
		for i, n := range c.g.Nodes {
			if weighted(n) {
				t := &tapMeans{tapSummer: newTapSummer(newView(n)), part: make([][]float32, len(g.refining))}
				g.o.taps[i], g.readers[n.In[0]] = t, append(g.readers[n.In[0]], t)
			}
		}
	}
	return g
}

// employ gives so many hands their histograms.
func (g *gatherer) employ(hands int) {
	for range hands {
		h := handSaw{fit: histograms(len(g.o.values))}
		if g.apart {
			h.held = histograms(len(g.o.values))
		}
		g.hands = append(g.hands, h)
	}
}

// see is the tap of a crew.
func (g *gatherer) see(h *hand, v *graph.Value, data any) {
	x, at := data.([]float32), g.from+h.at
	to := g.hands[h.index].fit
	if g.apart && holdsOut(at) {
		to = g.hands[h.index].held
	}
	if g.counts {
		to[g.place[v]].observe(x, at, (g.total*len(x)+countedValues-1)/countedValues)
	} else {
		to[g.place[v]].see(x)
	}
	if k, ok := g.refining[at]; ok {
		for _, t := range g.readers[v] {
			t.see(k, x)
		}
	}
}

// merge takes what the hands have seen into the observation.
func (g *gatherer) merge() {
	for _, h := range g.hands {
		if g.apart {
			mergeEach(g.o.fit, h.fit)
			mergeEach(g.o.values, h.held)
		}
		mergeEach(g.o.values, h.fit)
		for _, seen := range slices.Concat(h.fit, h.held) {
			seen.reset()
		}
	}
}

func mergeEach(to, from []*histogram) {
	for i, h := range from {
		to[i].merge(h)
	}
}

// doublings are the numbers of samples at which the curve is looked at: all of them last, and before each number half of it, down to firstLook.
// A trial's curve nobody looks at.
func (c *conversion) doublings() []int {
	at := []int{len(c.samples)}
	for n := len(c.samples) / 2; n >= firstLook && !c.inTrial(); n /= 2 {
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
		ranges, err := c.chooseRanges(l.values)
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

// chooseRanges is the range that the recipe's observer chooses for each.
func (c *conversion) chooseRanges(seen []*histogram) ([]graph.Interval, error) {
	o, ranges := observerNamed(c.recipe.Observer), make([]graph.Interval, len(seen))
	return ranges, parallel(c.ctx, len(seen), func(i int) { ranges[i] = o.choose(seen[i]) })
}

func histograms(n int) []*histogram {
	hs := make([]*histogram, n)
	for i := range hs {
		hs[i] = newHistogram()
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
