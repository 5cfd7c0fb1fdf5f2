package native_test

import (
	"context"
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
		sum := p.RestUS
		for i, n := range p.Nodes {
			if want := m.Graph.Nodes[i]; n.Name != want.Out.Name || n.Ran != native.Name || (n.US == 0) != (n.Kernel == "fused") {
				t.Errorf("node %d, %q: %+v", i, want.Out.Name, n)
			}
			sum += n.US
		}
		if sum < 0.5*p.CallUS {
			t.Errorf("nodes and rest are %v µs of a call's %v", sum, p.CallUS)
		}
	}
}
