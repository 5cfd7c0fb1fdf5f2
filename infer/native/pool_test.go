package native

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mnet-edge/infer/infertest"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// Every call is made once a run, whether helpers spin or sleep.
func TestPool(t *testing.T) {
	p := newPool(3)
	if p == nil {
		t.Skip("one processor")
	}
	defer p.close()
	var count [40]atomic.Int32
	j := &job{n: uint32(len(count)), do: func(i int) { count[i].Add(1) }}
	const runs = 500
	for run := range runs {
		if run%50 == 0 {
			time.Sleep(time.Millisecond) // long enough for helpers to fall asleep
			p.rouse()
		}
		p.run(j)
		for i := range count {
			if n := count[i].Load(); n != int32(run+1) {
				t.Fatalf("run %d: call %d was made %d times", run, i, n)
			}
		}
	}
}

// A plan allocates nothing when it runs, whatever the arithmetic, the family and the number of threads, and sessions
// that run at the same time do not meet.
func TestPlansAtOnce(t *testing.T) {
	for _, net := range []model.Net{model.NetC, model.NetD} {
		spec := infertest.Small
		spec.Net = net
		g, err := infertest.Net(spec, infertest.Int8, 1)
		if err != nil {
			t.Fatal(err)
		}
		in := make([]byte, g.Inputs[0].Type.Bytes())
		for i := range in {
			in[i] = byte(rand.Uint32())
		}
		for _, r := range []quant.Rounding{quant.Float32, quant.Double} {
			var plans []*plan
			for _, f := range Families() {
				for _, threads := range []int{1, 2} {
					p, err := newPlan(g, f, r, threads, planHooks{share: true})
					if err != nil {
						t.Fatal(err)
					}
					defer p.close()
					p.in.load(in)
					if n := testing.AllocsPerRun(3, p.run); n != 0 {
						t.Errorf("net %s, %s, %v, %d threads: %v allocations a run", net, f, r, threads, n)
					}
					plans = append(plans, p)
				}
			}
			answers := make([][]byte, len(plans))
			var group sync.WaitGroup
			for i, p := range plans {
				group.Go(func() {
					for range 3 {
						p.run()
					}
					answers[i] = p.out.elements()
				})
			}
			group.Wait()
			for _, a := range answers {
				if !bytes.Equal(a, answers[0]) {
					t.Errorf("net %s, %v: answers %v and %v", net, r, a, answers[0])
				}
			}
		}
	}
}
