package convert

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"mnet-edge/graph"
)

// ErrCalibration marks calibration data that can't be used; the error says why.
var ErrCalibration = errors.New("calibration refused")

// ErrNetwork marks a network that can't be converted as the recipe says; the error names the pass and, where one is at fault, the layer.
var ErrNetwork = errors.New("network refused")

// Result is a converted network with what was found on the way.
type Result struct {
	Graph       *graph.Graph
	Recipe      Recipe       // as it was followed, every choice made
	Trials      []Trial      // on which the choices that were left open rest
	Calibration *Calibration // nil unless activations were quantized
	Layers      []LayerReport
}

// Run converts g, a graph below level Quantized, in place, as the recipe says. samples are calibration inputs: for
// each, the values of the graph's one input, row-major; it may be nil where Scheme.Integer is false. observe, if not nil, sees the graph
// after each pass that ran. The error is ErrNetwork, ErrCalibration, ctx's, or that of Recipe.Check; the graph is of no more use then.
func Run(ctx context.Context, g *graph.Graph, r Recipe, samples iter.Seq[[]float32], observe func(pass string, g *graph.Graph)) (*Result, error) {
	if r.Scheme == "" {
		r.Scheme = Int8
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("convert: %w: %w", ErrNetwork, err)
	}
	if r.Ranges != nil && r.Equalize == "" {
		r.Equalize = Off // see Recipe.Check
	}
	c := &conversion{ctx: ctx, passes: passes, g: g, recipe: r, works: newWorks()}
	forgetRanges(g)
	names := outputNames(g)
	if r.Scheme.Integer() {
		var err error
		if c.samples, err = collect(ctx, g, samples); err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		c.peaks = peaksOf(g, c.samples)
	}
	if err := c.apply(observe); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	if c.float != nil {
		if err := c.measure(); err != nil {
			return nil, fmt.Errorf("convert: %w", c.refusal("measuring", err))
		}
	}
	keepOutputNames(g, names)
	result := &Result{Graph: g, Recipe: c.recipe, Trials: c.trials, Calibration: c.calibration}
	for _, l := range c.layers {
		result.Layers = append(result.Layers, l.LayerReport)
	}
	return result, nil
}

// forgetRanges makes a network with ranges one without: of those that come with it nobody knows what they were taken from.
func forgetRanges(g *graph.Graph) {
	if g.Level == graph.Ranged {
		g.Level = graph.Folded
	}
}

func outputNames(g *graph.Graph) (names []string) {
	for _, v := range g.Outputs {
		names = append(names, v.Name)
	}
	return names
}

// keepOutputNames lets programs that ask for outputs by name find them under those they had, whatever passes called the tensors.
func keepOutputNames(g *graph.Graph, names []string) {
	unique := slices.Compact(slices.Sorted(slices.Values(names)))
	if g.Meta.Signature.Outputs == nil && !slices.Equal(names, outputNames(g)) && len(unique) == len(names) && !slices.Contains(names, "") {
		g.Meta.Signature.Outputs = names
	}
}

// conversion is the state that passes share.
type conversion struct {
	ctx         context.Context
	passes      []pass
	g           *graph.Graph
	recipe      Recipe
	samples     [][]float32
	peaks       [][]float32                   // of them, for equalization
	all         [][]float32                   // every sample, held-out ones too, if a trial observes all of them in one pass; nil: it observes samples
	float       *graph.Graph                  // the network as calibrated, before it becomes integers
	twin        map[*graph.Value]*graph.Value // in float, of a value of g
	calibration *Calibration
	seen        *observation // what calibration rests on
	trials      []Trial
	memo        *memo // of a trial; nil in a conversion
	layers      []layer
	weights     map[*int8]*graph.Value // constants by their first integer
	works       *works
}

// inTrial reports whether this is a trial of a recipe, whose result nobody keeps.
func (c *conversion) inTrial() bool { return c.memo != nil }

// refusal is what went wrong at a step as the network's fault, which an interrupt is not.
func (c *conversion) refusal(step string, err error) error {
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case errors.Is(err, ErrNetwork):
		return fmt.Errorf("%s: %w", step, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrNetwork, step, err)
}

// apply runs the passes that the recipe wants and the graph has not passed yet.
func (c *conversion) apply(observe func(pass string, g *graph.Graph)) error {
	for _, p := range c.passes {
		if p.wanted != nil && !p.wanted(c.recipe) || c.g.Level > p.from {
			continue
		}
		if c.g.Level != p.from {
			return fmt.Errorf("pass %s takes level %v, the graph is at %v", p.name, p.from, c.g.Level)
		}
		if err := p.run(c); err != nil {
			return c.refusal(p.name, err)
		}
		c.g.Level = p.to
		if err := c.g.Check(); err != nil {
			return fmt.Errorf("after %s: %w", p.name, err)
		}
		if observe != nil {
			observe(p.name, c.g)
		}
	}
	return nil
}
