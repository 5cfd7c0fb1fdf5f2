package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/internal/golden"
	"mnet-edge/lint"
)

// Every finding about every test model stands in one golden file: a change of a rule shows what it changes.
func TestFindings(t *testing.T) {
	models := vectors(t)
	delete(models, "forms") // 200 operators that the others have too
	for _, s := range singles() {
		_, models["one/"+s.name] = s.graph(t)
	}
	var names []string
	for name := range models {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	broken := map[string]bool{}
	for _, name := range names {
		for _, target := range lint.Targets {
			v := verdict(t, models[name], target)
			fmt.Fprintf(&b, "%s on %s: %d of %d\n", name, target, v.Taken, v.Total)
			for _, f := range v.Findings {
				fmt.Fprintf(&b, "  %s %s %q [%s] %s\n", f.Severity, f.Op, f.Node, f.Rule, f.Reason)
				broken[f.Rule] = true
			}
		}
	}
	golden.Compare(t, "testdata/findings.txt", b.String())
	for _, name := range append(computedBreaks(t), meansBreak(t)...) {
		broken[name] = true
	}
	// What no model of the tests breaks is what no file can hold, or what the graph's own check refuses.
	unbroken := map[string]bool{"xnnpack-mixed": true, "xnnpack-weights": true, "xnnpack-symmetric": true, "edgetpu-static": true,
		"ethos-u-weight-sum": true, "ethos-u-max-pool": true}
	for _, r := range lint.Rules() {
		if broken[r.ID] == unbroken[r.ID] {
			t.Errorf("rule %s: broken by a model %v, listed as unbroken %v", r.ID, broken[r.ID], unbroken[r.ID])
		}
	}
}

// Every rule says what it asks and where that is written, under a name of its own.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range lint.Rules() {
		if r.ID == "" || seen[r.ID] || r.What == "" || r.Source == "" || !slices.Contains(lint.Targets, r.Target) ||
			!strings.HasPrefix(r.ID, string(r.Target)) || r.Severity != lint.Refused && r.Severity != lint.Slow {
			t.Errorf("rule %+v", r)
		}
		seen[r.ID] = true
	}
}

// The operators behind a refused one stay on the CPU with the Edge TPU, and run on the others.
func TestEdgeTPUStopsAtTheFirst(t *testing.T) {
	g := graph.New("swish")
	g.Level = graph.Quantized
	x := g.Input("x", integers(graph.Int8, 0.05, 0, 1, 4, 4, 16))
	a := as(g.Apply("", graph.Activate{Act: graph.ReLU}, x), 0.05, 0) // without names, as tools leave files that take them out
	s := as(g.Apply("", graph.Unary{Fn: graph.HardSwish}, a), 0.05, 0)
	g.Outputs = []*graph.Value{as(g.Apply("", graph.Activate{Act: graph.ReLU}, s), 0.05, 0)}
	for _, v := range lint.Check(g, nil) {
		switch v.Target {
		case lint.EdgeTPU:
			if v.Taken != 1 || v.Refusal(0) != "" || v.Refusal(1) == "" || !strings.Contains(v.Refusal(2), "after hard_swish") {
				t.Errorf("%+v", v)
			}
		case lint.EthosU:
			if v.Taken != 3 {
				t.Errorf("%+v", v)
			}
		}
	}
}

// computedBreaks are the rules that a reshape to a computed shape breaks. Vela works out such shapes by itself.
func computedBreaks(t *testing.T) (rules []string) {
	t.Helper()
	g := graph.New("computed")
	g.Level = graph.Quantized
	x := g.Input("x", integers(graph.Int8, 0.05, 0, 1, 4, 4, 16))
	g.Outputs = []*graph.Value{as(g.Apply("y", graph.Reshape{Shape: []int{1, 256}}, x), 0.05, 0)}
	for _, v := range lint.Check(g, []int{0}) {
		if taken := v.Target == lint.EthosU; taken != (v.Taken == 1) {
			t.Errorf("%+v: want taken %v", v, taken)
		}
		for _, f := range v.Findings {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// meansBreak are the rules of the Edge TPU that some means break: over the batch, and over channels that are no multiple of four.
func meansBreak(t *testing.T) (rules []string) {
	t.Helper()
	for _, c := range []struct {
		channels int
		axes     []int
		taken    bool
	}{{8, []int{1, 2}, true}, {6, []int{1, 2}, true}, {8, []int{3}, true}, {6, []int{3}, false}, {6, []int{2, 3}, false}, {8, []int{0, 1}, false}} {
		g := graph.New("mean")
		g.Level = graph.Quantized
		x := g.Input("x", integers(graph.Int8, 0.05, 0, 1, 4, 4, c.channels))
		g.Outputs = []*graph.Value{as(g.Apply("y", graph.Mean{Axes: c.axes}, x), 0.05, 0)}
		for _, v := range lint.Check(g, nil) {
			if v.Target != lint.EdgeTPU {
				continue
			}
			if taken := v.Taken == v.Total; taken != c.taken {
				t.Errorf("a mean over %v of %d channels: taken %v, want %v", c.axes, c.channels, taken, c.taken)
			}
			for _, f := range v.Findings {
				rules = append(rules, f.Rule)
			}
		}
	}
	return rules
}
