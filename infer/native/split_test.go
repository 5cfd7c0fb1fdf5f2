package native

import (
	"fmt"
	"slices"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/infer/infertest"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// Threads have even parts of net D: of the multiply-accumulates, all do nearly the same number between two times that they
// wait for each other. A thread with more than its share is what the others wait for.
func TestSplit(t *testing.T) {
	for _, test := range []struct {
		width   float64
		threads int
		most    float64 // of all work, what the busiest thread of each stretch has
	}{
		{1, 2, 0.501}, {1, 3, 0.375}, {1, 4, 0.255}, {0.25, 2, 0.501}, {0.25, 4, 0.255},
	} {
		manyProcessors(t, test.threads)
		g := netD(t, test.width)
		for _, f := range Families() {
			if f == Portable { // its kernels are not shared
				continue
			}
			t.Run(fmt.Sprintf("w%v/%d/%s", test.width, test.threads, f), func(t *testing.T) {
				p, err := newPlan(g, f, quant.Float32, test.threads, planHooks{share: true})
				if err != nil {
					t.Fatal(err)
				}
				defer p.close()
				busy, all := 0., 0.
				for _, phases := range p.phases {
					work := make([]float64, test.threads)
					for _, ph := range phases {
						for thread, share := range p.written(ph) {
							work[thread] += share * p.macsOf(ph)
						}
					}
					busy += slices.Max(work)
					for _, w := range work {
						all += w
					}
				}
				t.Logf("the busiest of %d threads has %.4f of the work", test.threads, busy/all)
				if busy > test.most*all {
					t.Errorf("the busiest of %d threads has %.4f of the work, want at most %.3f", test.threads, busy/all, test.most)
				}
			})
		}
	}
}

func netD(t *testing.T, width float64) *graph.Graph {
	t.Helper()
	spec := model.DefaultSpec(model.NetD)
	spec.Width = width
	g, err := infertest.Net(spec, infertest.Int8, 1)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// macsOf is the multiply-accumulates of a phase: those of its step, if it is the last of that.
func (p *plan) macsOf(ph *phase) float64 {
	for _, s := range p.steps {
		if s.work[len(s.work)-1] == ph {
			return float64(macs(s.value.Def))
		}
	}
	return 0
}

// written is which part each thread writes of the bytes that ph does.
func (p *plan) written(ph *phase) []float64 {
	parts, all := make([]float64, p.threads()), 0.
	if !ph.shared {
		parts[0] = 1
		return parts
	}
	data := ph.out.data
	images := [2][]byte{make([]byte, len(data)), make([]byte, len(data))}
	for thread := range parts {
		for v := range images { // a byte that is written cannot be what it was before both times
			for k := range data {
				data[k] = byte(v)
			}
			ph.do(thread)
			copy(images[v], data)
		}
		for k := range data {
			if images[0][k] != 0 || images[1][k] != 1 {
				parts[thread]++
				all++
			}
		}
	}
	for thread := range parts {
		parts[thread] /= all
	}
	return parts
}
