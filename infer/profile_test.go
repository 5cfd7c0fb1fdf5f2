package infer_test

import (
	"context"
	"math"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

// plainRuntime hides that a runtime can profile.
type plainRuntime struct{ infer.Runtime }

// A profile names every node once, in order, and its shares are of one; so is one of a runtime that gives none.
func TestProfile(t *testing.T) {
	b := small(t, infertest.Int8, func(*graph.Graph) {})
	m, err := infer.Load(b, infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	reference := infer.NewReference(quant.Double)
	for _, test := range []struct {
		runtime     infer.Runtime
		source, ran string
	}{{reference, infer.SourceRuntime, infer.ReferenceName}, {plainRuntime{reference}, infer.SourceSplit, "none"}} {
		p, err := infer.ProfileOn(context.Background(), test.runtime, b, infer.Options{}, inputs(m, 1)[0], 7)
		if err != nil {
			t.Fatal(err)
		}
		if p.Calls != 7 || p.Source != test.source || len(p.Nodes) != len(m.Graph.Nodes) {
			t.Fatalf("%d calls, source %q, %d nodes: want 7, %q, %d", p.Calls, p.Source, len(p.Nodes), test.source, len(m.Graph.Nodes))
		}
		shares, times := 0., 0.
		for i, n := range p.Nodes {
			if want := m.Graph.Nodes[i]; n.Name != want.Out.Name || n.Op != want.Op.Name() || n.Ran != test.ran {
				t.Errorf("node %d is %s %q on %q: want %s %q on %q", i, n.Op, n.Name, n.Ran, want.Op.Name(), want.Out.Name, test.ran)
			}
			shares, times = shares+n.Share, times+n.US
		}
		if math.Abs(shares-1) > 1e-9 || times <= 0 {
			t.Errorf("%s: shares add up to %v, times to %v", test.source, shares, times)
		}
	}
}

func TestProfileEnds(t *testing.T) {
	b := small(t, infertest.Int8, func(*graph.Graph) {})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := infer.ProfileOn(ctx, infer.NewReference(quant.Double), b, infer.Options{}, make([]byte, 16*16*3), 3); err == nil {
		t.Error("a profile after its context's end")
	}
}
