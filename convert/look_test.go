package convert

import (
	"context"
	"math/rand/v2"
	"testing"

	"mnet-edge/graph"
)

// A trial looks at all samples, but takes no range from those held out; the conversion behind it takes them from all.
func TestTrialsTakeNoRangeFromSamplesHeldOut(t *testing.T) {
	g := graph.New("held")
	g.Level = graph.Folded
	x := g.Input("x", float32Type(1, 2, 2, 3))
	r := rand.New(rand.NewPCG(3, 4))
	w := make([]float32, 2*3)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	y := g.Apply("y", graph.Conv2D{Window: graph.Dense(1, graph.Same)}, x, graph.Const("w", float32Type(2, 1, 1, 3), w))
	g.Outputs = []*graph.Value{y}
	samples := make([][]float32, 64)
	for i := range samples {
		samples[i] = make([]float32, 12)
		for k := range samples[i] {
			samples[i][k] = float32(r.Float64())
		}
		if holdsOut(i) {
			samples[i][0] = 100
		}
	}
	c := &conversion{ctx: context.Background(), passes: passes, g: g, recipe: Recipe{Scheme: Int8}, samples: samples, works: newWorks()}
	c.peaks = peaksOf(g, samples)
	for _, x := range c.peaks {
		if x[0] == 100 {
			t.Error("equalization looks at a sample held out")
		}
	}
	for at := range c.refining() {
		if holdsOut(at) {
			t.Errorf("bias correction looks at sample %d, which is held out", at)
		}
	}
	trials, err := newTrials(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trials.try(Recipe{Scheme: Int8, Observer: "minmax", Equalize: Off, CorrectBias: On, RoundWeights: Off}); err != nil {
		t.Fatal(err)
	}
	if most := trials.memo.seen[Off].values[0].seen.Max; most > 1 {
		t.Errorf("a trial's range reaches %v, which only samples held out do", most)
	}
	if most := c.works.seen[Off].values[0].seen.Max; most != 100 {
		t.Errorf("the conversion's range reaches %v, want 100", most)
	}
}
