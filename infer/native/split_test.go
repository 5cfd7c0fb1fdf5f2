package native

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"mnet-edge/infer/infertest"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// The pool splits net D evenly: of the multiply-accumulates, threads that take a step's calls one by one, each the next
// that nobody has begun, all have nearly the same number. A thread with more than its share is what the others wait for.
func TestSplit(t *testing.T) {
	for _, test := range []struct {
		width   float64
		threads int
		most    float64 // of all work, what the busiest thread has
	}{
		{1, 2, 0.501}, {1, 3, 0.375}, {1, 4, 0.255}, {0.25, 2, 0.501}, {0.25, 4, 0.255},
	} {
		spec := model.DefaultSpec(model.NetD)
		spec.Width = test.width
		g, err := infertest.Net(spec, infertest.Int8, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Families() {
			if f == Portable { // its kernels are not shared
				continue
			}
			t.Run(fmt.Sprintf("%s/%d/%s", spec.Name(), test.threads, f), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(test.threads))
				p, err := newPlan(g, f, quant.Float32, test.threads, planHooks{share: true})
				if err != nil {
					t.Fatal(err)
				}
				p.close() // from here on, this goroutine makes all calls
				busy, all := 0., 0.
				for _, s := range p.steps {
					work := float64(macs(s.value.Def))
					busy, all = busy+work*busiest(p.written(s), test.threads), all+work
				}
				t.Logf("the busiest of %d threads has %.4f of the work", test.threads, busy/all)
				if busy > test.most*all {
					t.Errorf("the busiest of %d threads has %.4f of the work, want at most %.3f", test.threads, busy/all, test.most)
				}
			})
		}
	}
}

// written are, of the calls that the last job of s consists of, how many bytes each writes; nil if it has none.
func (p *plan) written(s step) (bytes []int) {
	before := p.pool.current.Load()
	s.run()
	j := p.pool.current.Load()
	if j == before {
		return nil
	}
	images := [2][]byte{make([]byte, len(s.out.data)), make([]byte, len(s.out.data))}
	for i := range int(j.n) {
		for v := range images { // a byte that a call writes cannot be what it was before both times
			for k := range s.out.data {
				s.out.data[k] = byte(v)
			}
			j.do(i)
			copy(images[v], s.out.data)
		}
		n := 0
		for k := range images[0] {
			if images[0][k] != 0 || images[1][k] != 1 {
				n++
			}
		}
		bytes = append(bytes, n)
	}
	return bytes
}

// busiest is the largest share that one of some threads has of the calls' work, 1 if they are not shared.
func busiest(calls []int, threads int) float64 {
	if calls == nil {
		return 1
	}
	work, all := make([]int, threads), 0
	for _, c := range calls {
		next := slices.Index(work, slices.Min(work))
		work[next] += c
		all += c
	}
	return float64(slices.Max(work)) / float64(all)
}
