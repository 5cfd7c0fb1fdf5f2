package native

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/infer/infertest"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// BenchmarkSteps is each layer of net D, and of the models that MNET_MODELS lists, on its own, by the fastest family:
// ns/op, and multiply-accumulates a nanosecond.
func BenchmarkSteps(b *testing.B) {
	for name, g := range benchNets(b) {
		family, err := choose("")
		if err != nil {
			b.Fatal(err)
		}
		p, err := newPlan(g, family, quant.Float32, 1, planHooks{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range p.in.data {
			p.in.data[i] = byte(i * 37)
		}
		p.run()
		for i, s := range p.steps {
			n := s.value.Def
			b.Run(fmt.Sprintf("%s/%02d-%s-%d-to-%d", name, i, n.Op.Name(), n.In[0].Type.Shape, s.value.Type.Shape), func(b *testing.B) {
				for b.Loop() {
					do(s.work, 0)
				}
				if m := macs(n); m > 0 {
					b.ReportMetric(float64(m)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "MAC/ns")
				}
			})
		}
	}
}

func benchNets(b *testing.B) map[string]*graph.Graph {
	nets := map[string]*graph.Graph{}
	for _, width := range []float64{0.25, 1} {
		spec := model.DefaultSpec(model.NetD)
		spec.Width = width
		g, err := infertest.Net(spec, infertest.Int8, 1)
		if err != nil {
			b.Fatal(err)
		}
		nets[spec.Name()] = g
	}
	for _, path := range filepath.SplitList(os.Getenv("MNET_MODELS")) {
		nets[filepath.Base(path)] = readModel(b, path)
	}
	return nets
}

// macs is how many products a node's result is made of.
func macs(n *graph.Node) int {
	switch n.Op.(type) {
	case graph.Conv2D, graph.FullyConnected:
		filter := n.In[1].Type
		return n.Out.Type.Elements() * filter.Elements() / filter.Shape[0]
	case graph.DepthwiseConv2D:
		filter := n.In[1].Type.Shape
		return n.Out.Type.Elements() * filter[1] * filter[2]
	}
	return 0
}

// BenchmarkStretches is what it costs two threads to wait for each other: ns/op of a run without work, and of each stretch.
func BenchmarkStretches(b *testing.B) {
	const stretches = 100
	team := newTeam(2)
	if team == nil {
		b.Skip("one processor")
	}
	nothing := [][]*phase{}
	for range stretches {
		nothing = append(nothing, []*phase{{shared: true, do: func(int) {}}})
	}
	team.start(nothing, true)
	defer team.close()
	for b.Loop() {
		team.watch()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*stretches), "ns/stretch")
}
