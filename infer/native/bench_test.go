package native

import (
	"fmt"
	"testing"

	"mnet-edge/infer/infertest"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// BenchmarkSteps is each layer of net D on its own, by the fastest family: ns/op, and multiply-accumulates a nanosecond.
func BenchmarkSteps(b *testing.B) {
	for _, width := range []float64{0.25, 1} {
		spec := model.DefaultSpec(model.NetD)
		spec.Width = width
		g, err := infertest.Net(spec, infertest.Int8, 1)
		if err != nil {
			b.Fatal(err)
		}
		p, err := newPlan(g, Families()[0], quant.Float32, 1, planHooks{})
		if err != nil {
			b.Fatal(err)
		}
		p.run()
		macs := map[string]int64{}
		for _, l := range spec.Layers() {
			macs[l.Name] = l.MACs()
		}
		for i, s := range p.steps {
			b.Run(fmt.Sprintf("%s/%02d-%s", spec.Name(), i, s.value.Name), func(b *testing.B) {
				for b.Loop() {
					s.run()
				}
				b.ReportMetric(float64(macs[s.value.Name])*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "MAC/ns")
			})
		}
	}
}
