package native_test

import (
	"context"
	"math"
	"testing"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/native"
)

// Every node is in the profile once, and those that compute took time.
func TestProfile(t *testing.T) {
	b, err := infertest.Model(infertest.Small, infertest.Int8, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := infer.Load(b, infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	profiler := native.New(native.Options{}).(infer.Profiler)
	for _, threads := range []int{1, 2} {
		p, err := profiler.Profile(context.Background(), b, infer.Options{Threads: threads}, make([]byte, m.Input.Type.Bytes()), 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Nodes) != len(m.Graph.Nodes) || p.Source != infer.SourceRuntime {
			t.Fatalf("%d nodes from %q, want %d", len(p.Nodes), p.Source, len(m.Graph.Nodes))
		}
		sum, shares := 0., 0.
		for i, n := range p.Nodes {
			if want := m.Graph.Nodes[i]; n.Name != want.Out.Name || n.Ran != native.Name || (n.US == 0) != (n.Kernel == "fused") {
				t.Errorf("node %d, %q: %+v", i, want.Out.Name, n)
			}
			sum, shares = sum+n.US, shares+n.Share
		}
		if want := max(p.CallUS-sum, 0); math.Abs(p.RestUS-want) > 1e-6*p.CallUS || math.Abs(shares-1) > 1e-9 {
			t.Errorf("nodes are %v µs and %v of the nodes' time, the rest %v, a call %v", sum, shares, p.RestUS, p.CallUS)
		}
	}
}
