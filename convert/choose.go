package convert

import (
	"fmt"

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

// The budget is one of work, not of time, so that every machine spends it alike and picks the same.
const (
	trialWork    = 16e9 // multiply-accumulates that the networks' runs may take in all trials together
	trialRuns    = 12   // how often a trial sample is run, over all trials
	roundingWork = 2e9  // multiply-accumulates up to which adaptive rounding is tried
	worthwhile   = 0.95 // a choice is made when it leaves less than this share of the error
)

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
	best, least := -1, 0.0
	try := func(r Recipe) error {
		noise, err := t.run(r)
		if err != nil && (best < 0 || c.ctx.Err() != nil) {
			return err
		}
		if err != nil {
			c.trials = append(c.trials, Trial{Recipe: r, OutputSNR: -MaxDB, Refused: err.Error()})
			return nil
		}
		if best < 0 || noise < worthwhile*least {
			best, least = len(c.trials), noise
		}
		c.trials = append(c.trials, Trial{Recipe: r, OutputSNR: decibels(t.signal, noise)})
		return nil
	}
	if err := try(plain); err != nil {
		return err
	}
	for _, o := range options {
		if *o.field(&c.recipe) != "" || !c.affordable(o) {
			continue
		}
		from := c.trials[best].Recipe
		for _, choice := range o.choices[1:] {
			r := from
			*o.field(&r) = choice
			if err := try(r); err != nil {
				return fmt.Errorf("%s %s: %w", o.name, choice, err)
			}
		}
	}
	c.trials[best].Picked = true
	c.recipe = c.trials[best].Recipe
	return nil
}

// affordable reports whether a choice is worth a trial: adaptive rounding has its own budget.
func (c *conversion) affordable(o option) bool {
	return o.name != "round_weights" || roundWork(c.g) < roundingWork
}

// trials are what the trials share.
type trials struct {
	c         *conversion
	fit, held [][]float32
	want      [][]float32 // the float network's outputs for held
	signal    float64
	memo      *memo
}

// memo keeps what trials with the same equalization have in common.
type memo struct {
	graph map[Choice]*graph.Graph // equalized
	seen  map[Choice][]*Histogram // of its activations
}

// newTrials divides the samples: one in eight is held out. nil means that there are too few.
func newTrials(c *conversion) (*trials, error) {
	const one = 8
	t := &trials{c: c, memo: &memo{map[Choice]*graph.Graph{}, map[Choice][]*Histogram{}}}
	for i, x := range c.samples {
		if i%one == one/2 {
			t.held = append(t.held, x)
		} else {
			t.fit = append(t.fit, x)
		}
	}
	if len(t.held) < 4 {
		return nil, nil
	}
	most := int(min(max(trialWork/trialRuns/max(work(c.g), 1), 128), 1024))
	t.fit, t.held = spread(t.fit, most), spread(t.held, most/2)
	var err error
	if t.want, err = c.outputs(t.held); err != nil {
		return nil, err
	}
	for _, y := range t.want {
		for _, v := range y {
			t.signal += float64(float64(v) * float64(v))
		}
	}
	return t, nil
}

// run converts a copy of the network as r says and gives the squared error of its outputs.
func (t *trials) run(r Recipe) (noise float64, err error) {
	r.FloatIO = false // the integers inside are the same
	g, _ := duplicate(t.c.g)
	trial := &conversion{ctx: t.c.ctx, passes: t.c.passes, g: g, recipe: r, samples: t.fit, memo: t.memo}
	if err := trial.apply(nil); err != nil {
		return 0, err
	}
	got, err := trial.outputs(t.held)
	if err != nil {
		return 0, err
	}
	for i, y := range got {
		for k, v := range y {
			d := float64(v) - float64(t.want[i][k])
			noise += float64(d * d)
		}
	}
	return noise, nil
}

// outputs is what the graph gives for each sample, as real numbers.
func (c *conversion) outputs(samples [][]float32) ([][]float32, error) {
	g := c.g
	in, err := inputs(g.Inputs[0].Type, samples)
	if err != nil {
		return nil, err
	}
	crew, err := newCrew(c.ctx, g, nil)
	if err != nil {
		return nil, err
	}
	all := make([][]float32, len(samples))
	return all, crew.each(len(samples), func(h *hand, i int) error {
		ys, err := h.Run(in[i])
		if err != nil {
			return err
		}
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
		return nil
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
		if axis, _ := outputAxis(node.Op); weighted(node) {
			w := node.In[1].Type
			n += float64(node.Out.Type.Elements()) * float64(w.Elements()/w.Shape[axis])
		}
	}
	return n
}
