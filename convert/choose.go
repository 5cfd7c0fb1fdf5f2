package convert

import (
	"reflect"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// Trial is a recipe that was tried and how well it did on samples that no range was taken from.
type Trial struct {
	Recipe    Recipe  `json:"recipe"`
	OutputSNR float64 `json:"output_snr_db"` // the float network's outputs to their difference from the int8 network's
	Picked    bool    `json:"picked"`
	Refused   string  `json:"refused,omitempty"` // why the recipe can't be followed for this network
}

// DefaultBudget is the work that trials may take, in multiply-accumulates of the network's runs. It is one of work and not of
// time, so that every machine spends it alike and picks the same.
const DefaultBudget = 20e9

// BudgetSecond is the work that a second of budget stands for, on every machine: about what two cores with AVX-512 do.
const BudgetSecond = 40e9

const (
	// A choice that costs time or accuracy elsewhere, as of what it was not fitted to, is made when it leaves less than this share.
	clearly = 0.95
	// Where trials see few samples the usual recipe is taken unless it leaves this many times the error of the plain one: on sixteen, with
	// ranges of as many, they are 2 dB off either way.
	doubtful = 2
	// A network with less than this, in dB, has channels so far out of balance that equalized weights are worth a trial even
	// with one scale a channel.
	outOfBalance = 25
	fewestHeld   = 4  // samples to choose by
	leastSeen    = 16 // samples of a large network, if the budget has as many
	mostHeld     = 128
)

// candidate is a way to do one step.
type candidate struct {
	option string
	choice Choice
	runs   float64 // that its trial takes, in units of the samples that a trial sees
	share  float64 // of the error so far: leaving less of it, the choice is made
}

// usual are the choices that together do best, or within a few tenths of a dB of it, on most networks: errors of the mean, which bias
// correction takes away, would hide what the other two do.
var usual = []candidate{
	{"correct_bias", On, 1.5, 1},
	{"equalize", ByActivations, 4, 1},
	{"observer", "mse", 1.5, 1},
}

// What may pay beside them: first what often does and costs more, then the plainer choice in place of each, then what rarely does. A trial
// runs the integer network; with other factors of equalization also the float one.
var (
	dearer  = []candidate{{"round_weights", On, 2, 1}}
	plainer = []candidate{
		{"observer", "minmax", 1.5, 1},
		{"equalize", Off, 1.5, 1},
		{"correct_bias", Off, 1.5, 1},
	}
	rarer = []candidate{
		{"equalize", ByWeights, 4, clearly},
		{"equalize", ByBoth, 4, clearly},
	}
)

// plainRuns is what the float network and a trial of the plain recipe take, in runs of the trials' samples.
const plainRuns = 3

// surely is what the plain recipe and the usual one take together. The samples are as many as fit it into sureShare of the budget; the rest is
// for what may come of it.
func surely() float64 {
	runs := float64(plainRuns)
	for _, c := range usual {
		runs += c.runs
	}
	return runs
}

const sureShare = 0.6

// A network is large when looking at all samples takes more than this share of the budget.
const large = 0.5

// choose is the pass that decides what the recipe leaves open. It tries one choice after the other on a copy of the
// network, keeps what pays on samples held out, and changes nothing but the recipe. With too few samples to hold any
// out, the plainest choice is made.
func choose(c *conversion) error {
	plain := c.recipe
	plain.fill(plainest)
	t, err := newTrials(c)
	if err != nil {
		return err
	}
	if t == nil {
		c.recipe = plain
		return nil
	}
	best, err := t.try(plain)
	if err != nil {
		return err
	}
	share, rest := 1., slices.Concat(dearer, plainer, rarer)
	if t.all == nil || len(t.held) < leastSeen { // too few to tell small differences by
		share, rest = doubtful, slices.Concat(dearer, rarer)
	}
	start := best
	if best, err = t.step(best, share, usual...); err != nil {
		return err
	}
	if best == start {
		rest = slices.Concat(usual, dearer, plainer, rarer)
	}
	for _, p := range rest {
		if best, err = t.step(best, p.share, p); err != nil {
			return err
		}
	}
	c.trials[best.at].Picked = true
	c.recipe = best.Recipe
	return nil
}

// step tries best's recipe with the candidates' choices, where the user left them open. It returns that trial if its error is below share times
// best's; otherwise, or if the budget does not allow it, best.
func (t *trials) step(best *tried, share float64, candidates ...candidate) (*tried, error) {
	r := best.Recipe
	var made []candidate
	for _, p := range candidates {
		o := optionNamed(p.option)
		if *o.field(&t.c.recipe) != "" || *o.field(&r) == p.choice {
			continue
		}
		if (p.choice == ByWeights || p.choice == ByBoth) && !t.c.recipe.PerTensor && best.OutputSNR >= outOfBalance {
			return best, nil // it would not pay
		}
		*o.field(&r) = p.choice
		made = append(made, p)
	}
	known := func(t Trial) bool { return reflect.DeepEqual(t.Recipe, r) }
	if slices.ContainsFunc(t.c.trials, known) || !t.afford(r, made) {
		return best, nil
	}
	trial, err := t.try(r)
	switch {
	case err != nil && t.c.ctx.Err() != nil:
		return nil, err
	case err != nil:
		t.c.trials[len(t.c.trials)-1].Refused = err.Error()
	case trial.noise < share*best.noise:
		return trial, nil
	}
	return best, nil
}

// trials are what the trials share.
type trials struct {
	c         *conversion
	fit, held [][]float32 // the samples that ranges are taken from, and those that decide
	all       [][]float32 // what a trial looks at, those held out apart; of a large network nil, which looks at fit
	want      [][]float32 // the float network's outputs for held
	signal    float64
	reckoned  int // samples that a trial is reckoned to run
	memo      *memo
	left      float64 // of the budget
}

// memo keeps what trials with the same equalization have in common.
type memo struct {
	seen map[Choice]*observation // of the network's activations
}

// tried is a trial that went through.
type tried struct {
	Trial
	noise float64 // squared error of the outputs
	at    int     // in conversion.trials
}

// newTrials divides the samples: one in eight is held out, and some of these decide; ranges are chosen from all others, or of a large
// network from as many of them. nil means that there are too few, or no budget.
func newTrials(c *conversion) (*trials, error) {
	t := &trials{c: c, memo: newMemo(), left: c.recipe.budget()}
	t.fit, t.held = divide(c.samples)
	most := int(min(sureShare*t.left/surely()/max(work(c.g), 1), mostHeld))
	if min(len(t.held), most) < fewestHeld {
		return nil, nil
	}
	most = min(most, runs(c.g, leastSeen, mostHeld))
	t.held = spread(t.held, most)
	t.all = c.samples
	if work(c.g)*float64(len(c.samples)) > large*t.left {
		t.fit, t.all = spread(t.fit, most), nil
	}
	t.reckoned = min(most, len(t.fit))
	t.spend(plainRuns)
	return t, t.measureFloat()
}

// holdsOut is whether sample i is one that no trial takes a range from: one in eight.
func holdsOut(i int) bool {
	const one = 8
	return i%one == one/2
}

// divide holds out samples.
func divide(samples [][]float32) (fit, held [][]float32) {
	for i, x := range samples {
		if holdsOut(i) {
			held = append(held, x)
		} else {
			fit = append(fit, x)
		}
	}
	return fit, held
}

// peaksOf is the samples for channelPeaks. They are the same for a trial and for what follows it, none of those held out: what a
// trial equalized can be taken over.
func peaksOf(g *graph.Graph, samples [][]float32) [][]float32 {
	fit, _ := divide(samples)
	return spread(fit, runs(g, 32, 64))
}

func newMemo() *memo { return &memo{seen: map[Choice]*observation{}} }

// measureFloat runs the float network over the samples held out.
func (t *trials) measureFloat() (err error) {
	if t.want, err = t.c.outputs(t.held); err != nil {
		return err
	}
	for _, y := range t.want {
		for _, v := range y {
			t.signal += float64(float64(v) * float64(v))
		}
	}
	return nil
}

// spend takes so many runs of the trials' samples from the budget.
func (t *trials) spend(runs float64) { t.left -= runs * float64(t.reckoned) * work(t.c.g) }

// afford takes from the budget what the trial of recipe r costs, which differs from a known one by those candidates, and reports whether it
// was there.
func (t *trials) afford(r Recipe, made []candidate) bool {
	before := t.left
	for _, p := range made {
		t.spend(p.runs)
		if p.option == "round_weights" {
			t.left -= roundWork(t.c.g) // once more, if it is picked
		}
	}
	if r.RoundWeights == On {
		t.left -= roundWork(t.c.g)
	}
	if t.left < 0 {
		t.left = before
		return false
	}
	return true
}

// try converts a copy of the network as r says, and notes how far its outputs are from the float network's.
func (t *trials) try(r Recipe) (*tried, error) {
	trial := Trial{Recipe: r, OutputSNR: -MaxDB}
	r.FloatIO = false // the integers inside are the same
	got, err := t.outputs(r)
	noise := t.noise(got)
	if err == nil {
		trial.OutputSNR = decibels(t.signal, noise)
	}
	t.c.trials = append(t.c.trials, trial)
	return &tried{trial, noise, len(t.c.trials) - 1}, err
}

// outputs converts a copy of the network as r says and runs it over the samples held out.
func (t *trials) outputs(r Recipe) ([][]float32, error) {
	g, _ := t.c.g.Clone()
	trial := &conversion{ctx: t.c.ctx, passes: t.c.passes, g: g, recipe: r, samples: t.fit, all: t.all, peaks: t.c.peaks, memo: t.memo, works: t.c.works}
	if err := trial.apply(nil); err != nil {
		return nil, err
	}
	return trial.outputs(t.held)
}

// noise is the squared error of outputs.
func (t *trials) noise(got [][]float32) (sum float64) {
	for i, y := range got {
		for k, v := range y {
			d := float64(v) - float64(t.want[i][k])
			sum += float64(d * d)
		}
	}
	return sum
}

// outputs is what the graph gives for each sample, as real numbers.
func (c *conversion) outputs(samples [][]float32) ([][]float32, error) {
	g := c.g
	in := inputs(g.Inputs[0].Type, samples)
	all := make([][]float32, len(samples))
	crew := newCrew(c.ctx, &c.works.packs, g, nil)
	return all, crew.each(len(samples), func(i int) []any { return in[i : i+1] }, func(_ *hand, i int, ys []any) {
		for k, y := range ys {
			switch y := y.(type) {
			case []float32:
				all[i] = append(all[i], y...)
			case []int8:
				all[i] = appendReal(all[i], y, g.Outputs[k].Type.Quant)
			case []int16:
				all[i] = appendReal(all[i], y, g.Outputs[k].Type.Quant)
			}
		}
	})
}

// appendReal appends the real numbers that integers stand for.
func appendReal[T int8 | int16](to []float32, y []T, p *quant.Params) []float32 {
	scale, zero := p.At(0)
	for _, q := range y {
		to = append(to, quant.Dequantize(int32(q), scale, zero))
	}
	return to
}

// work is the number of multiply-accumulates of a run, to the accuracy that a budget needs.
func work(g *graph.Graph) float64 {
	n := 0.0
	for _, node := range g.Nodes {
		if axis, _ := node.OutputAxis(); weighted(node) {
			n += macs(node, axis)
		}
	}
	return n
}

// macs are a layer's multiply-accumulates; axis is its weight's axis of output channels.
func macs(n *graph.Node, axis int) float64 {
	w := n.In[1].Type
	return float64(n.Out.Type.Elements()) * float64(w.Elements()/w.Shape[axis])
}
