package convert

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"mnet-edge/graph"
)

// Alone is what quantizing one layer, and no other, does to the network's answers.
type Alone struct {
	Name      string  `json:"name"`
	OutputSNR float64 `json:"output_snr_db"` // the float network's outputs to their difference
	Agreement float64 `json:"agreement"`     // share of the samples whose largest output is the float network's
}

// mostAlone bounds the samples that EachAlone looks at.
const mostAlone = 64

// EachAlone quantizes each layer with weights of g, a graph below level Quantized, by itself, and gives them in
// execution order. It follows r, a recipe without open choices, and leaves g as it is. The error is one of Run's.
func EachAlone(ctx context.Context, g *graph.Graph, r Recipe, samples iter.Seq[[]float32]) ([]Alone, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("convert: %w: %w", ErrNetwork, err)
	}
	all, err := collect(ctx, g, samples)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	own, _ := g.Clone()
	forgetRanges(own)
	if err := (&conversion{ctx: ctx, passes: folding, g: own, recipe: r}).apply(nil); err != nil { // layers have their names then
		return nil, fmt.Errorf("convert: %w", err)
	}
	names, err := layerNames(own)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	c := &conversion{ctx: ctx, passes: passes, g: own, recipe: r, peaks: peaksOf(own, all), works: newWorks()}
	some := spread(all, mostAlone)
	t := &trials{c: c, fit: some, held: some, memo: newMemo()}
	if err := t.measureFloat(); err != nil {
		return nil, fmt.Errorf("convert: %w", c.refusal("measuring", err))
	}
	var found []Alone
	for _, n := range c.g.Nodes {
		if !weighted(n) {
			continue
		}
		r := r
		r.FloatIO, r.keepInput = true, true // so that nobody else rounds
		r.KeepFloat = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == n.Out.Name })
		got, err := t.outputs(r)
		if err != nil {
			return nil, fmt.Errorf("convert: %w", c.refusal(fmt.Sprintf("%q alone", n.Out.Name), err))
		}
		a := Alone{Name: n.Out.Name, OutputSNR: decibels(t.signal, t.noise(got))}
		same := 0
		for i, y := range got {
			if len(y) > 0 && largest(y) == largest(t.want[i]) {
				same++
			}
		}
		a.Agreement = float64(same) / float64(len(got))
		found = append(found, a)
	}
	return found, nil
}

// layerNames are what nodes are kept by, which must tell layers with weights from all others.
func layerNames(g *graph.Graph) (names []string, err error) {
	count := map[string]int{}
	for _, n := range g.Nodes {
		count[n.Out.Name]++
		names = append(names, n.Out.Name)
	}
	for _, n := range g.Nodes {
		if weighted(n) && count[n.Out.Name] > 1 {
			return nil, fmt.Errorf("%w: layers are kept by their names, and %q is not one's alone", ErrNetwork, n.Out.Name)
		}
	}
	return names, nil
}

// largest is the place of the largest number.
func largest(x []float32) int { return slices.Index(x, slices.Max(x)) }
