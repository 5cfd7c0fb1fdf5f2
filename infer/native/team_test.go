package native

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"mnet-edge/graph"
	"mnet-edge/infer/infertest"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// inTurn does what stretches consist of in one goroutine, in each of them one thread's part after another's, beginning with
// one of them.
func (p *plan) inTurn(stretches [][]*phase, first int) {
	for _, phases := range stretches {
		for i := range p.threads() {
			do(phases, (first+i)%p.threads())
		}
	}
}

// manyProcessors lets Go have as many threads, for a test.
func manyProcessors(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// counted is a plan of which every part adds 1 to what every thread has left the stretch before: in the end, all have the
// number of the stretches.
type counted struct {
	threads   int
	counts    [][]int // of each stretch
	stretches [][]*phase
}

func newCounted(threads, stretches int) *counted {
	c := &counted{threads: threads}
	for s := range stretches {
		c.counts = append(c.counts, make([]int, threads))
		c.stretches = append(c.stretches, []*phase{{shared: true, do: func(thread int) {
			most := 0
			if s > 0 {
				most = c.counts[s-1][0]
				for _, n := range c.counts[s-1] {
					most = min(most, n)
				}
			}
			c.counts[s][thread] = most + 1
		}}})
	}
	return c
}

func (c *counted) check(t *testing.T, run int) {
	t.Helper()
	for s, counts := range c.counts {
		for thread, n := range counts {
			if n != s+1 {
				t.Fatalf("run %d: thread %d has %d in stretch %d, want %d", run, thread, n, s, s+1)
			}
			counts[thread] = 0
		}
	}
}

// Every part is done once a run and after all of the stretch before, whether helpers look, sleep, come in the middle of it or
// not at all.
func TestTeam(t *testing.T) {
	for _, threads := range []int{2, 3, 4} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			manyProcessors(t, threads)
			team, plan := newTeam(threads), newCounted(threads, 7)
			team.start(plan.stretches, true)
			defer team.close()
			for run := range 3000 {
				switch {
				case run%200 == 0:
					time.Sleep(time.Millisecond) // long enough for helpers to fall asleep
				case run%200 == 100:
					team.rest = 3
				}
				team.watch()
				plan.check(t, run)
			}
		})
	}
}

// A team whose helpers cannot run, since there is one processor, does without.
func TestTeamAlone(t *testing.T) {
	manyProcessors(t, 2)
	team, plan := newTeam(2), newCounted(2, 7)
	team.start(plan.stretches, true)
	defer team.close()
	runtime.GOMAXPROCS(1)
	for run := range 1000 {
		team.watch()
		plan.check(t, run)
	}
}

// Help that costs time is done without for many times as long, and then tried again. What it has saved before counts.
func TestJudge(t *testing.T) {
	team := &team{alone: time.Millisecond}
	runs := func(n int, took time.Duration) {
		for range n {
			team.judge(took)
		}
	}
	for range 3 {
		team.trial, team.balance = team.fair(), 0
		if runs(team.trial-1, 2*time.Millisecond); team.rest > 0 {
			t.Errorf("%d runs to rest before the trial is over", team.rest)
		}
		if runs(1, 2*time.Millisecond); team.rest < tried*amends {
			t.Errorf("%d runs to rest after %d that cost time, want at least %d", team.rest, team.fair(), tried*amends)
		}
		team.rest = 0
	}
	if runs(2*team.fair(), 0); team.rest > 0 || team.trial > 0 || team.balance <= 0 || team.balance > savings {
		t.Errorf("%d runs to rest, %d of a trial and %v saved by runs that save all their time", team.rest, team.trial, team.balance)
	}
	saved := team.balance
	if runs(1, time.Millisecond); team.rest > 0 {
		t.Errorf("%d runs to rest after one that cost a little, with %v saved", team.rest, saved)
	}
	if runs(1, 2*saved); team.rest == 0 || team.balance != 0 {
		t.Errorf("%d runs to rest after one that cost twice what had been saved", team.rest)
	}
}

// A run by itself is what help is held to, and one less to rest.
func TestWatch(t *testing.T) {
	manyProcessors(t, 2)
	team := newTeam(2)
	team.start(newCounted(2, 100).stretches, false)
	defer team.close()
	team.rest, team.alone = 2, time.Hour
	team.watch()
	if team.rest != 1 || team.alone >= time.Hour || team.alone <= 0 {
		t.Errorf("after a run by itself %d to rest, the quickest took %v", team.rest, team.alone)
	}
	team.watch()
	team.trial, team.balance = 9, 0
	if team.watch(); team.rest != 0 || team.trial != 8 {
		t.Errorf("after a run with help %d to rest, %d of the trial left", team.rest, team.trial)
	}
}

// A plan allocates nothing when it runs, whatever the arithmetic, the family and the number of threads, and sessions
// that run at the same time do not meet.
func TestPlansAtOnce(t *testing.T) {
	manyProcessors(t, 3)
	for _, net := range []model.Net{model.NetC, model.NetD} {
		spec := infertest.Small
		spec.Net = net
		g, err := infertest.Net(spec, infertest.Int8, 1)
		if err != nil {
			t.Fatal(err)
		}
		in := randomBytes(g)
		for _, r := range []quant.Rounding{quant.Float32, quant.Double} {
			var plans []*plan
			for _, f := range Families() {
				for _, threads := range []int{1, 2, 3} {
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

func randomBytes(g *graph.Graph) []byte {
	in, r := make([]byte, g.Inputs[0].Type.Bytes()), rand.New(rand.NewPCG(1, 1))
	for i := range in {
		in[i] = byte(r.Uint32())
	}
	return in
}

// In a stretch the threads need nothing of each other, so that whoever is first, the answer is the same. It is another one
// each time, lest a thread find what it should have waited for where it was before.
func TestStretches(t *testing.T) {
	for _, test := range []struct {
		width   float64
		threads int
	}{{1, 2}, {1, 3}, {0.25, 2}, {0.25, 4}} {
		manyProcessors(t, test.threads)
		g := netD(t, test.width)
		for _, f := range Families() {
			t.Run(fmt.Sprintf("w%v/%d/%s", test.width, test.threads, f), func(t *testing.T) {
				one, err := newPlan(g, f, quant.Float32, 1, planHooks{})
				if err != nil {
					t.Fatal(err)
				}
				p, err := newPlan(g, f, quant.Float32, test.threads, planHooks{share: true})
				if err != nil {
					t.Fatal(err)
				}
				defer p.close()
				t.Logf("%d steps in %d stretches", len(p.steps), len(p.phases))
				run := func(what string, run func()) {
					in := randomBytes(g)
					one.in.load(in)
					one.run()
					p.in.load(in)
					if run(); !bytes.Equal(p.out.elements(), one.out.elements()) {
						t.Errorf("%s: %v, want %v", what, p.out.elements(), one.out.elements())
					}
				}
				for first := range test.threads {
					run(fmt.Sprintf("thread %d first", first), func() { p.inTurn(p.phases, first) })
				}
				for range 10 {
					run("at once", p.run)
				}
			})
		}
	}
}
