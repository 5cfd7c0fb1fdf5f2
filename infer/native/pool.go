package native

import (
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// A pool is goroutines that help with the calls a step consists of. Between steps they spin, so that a step of a few
// microseconds is worth sharing; when no step has come for a while they sleep until the next run of the plan.
type pool struct {
	helpers []*helper
	turn    atomic.Uint32       // counts the jobs given out
	current atomic.Pointer[job] // the last one
	closed  atomic.Bool
}

type helper struct {
	asleep atomic.Bool
	wake   chan struct{} // of capacity 1: a signal for each time asleep is found true and made false
}

// job is a step's calls, in any order and by any goroutine. It may be run again and again.
type job struct {
	n          int32
	do         func(i int)
	serial     func()       // all of them, in this goroutine
	alone      bool         // sharing was measured not to be worth it
	next, done atomic.Int32 // calls begun and finished
}

// spins is how many looks a helper takes before it sleeps: some tens of microseconds.
const spins = 1 << 15

// yield is how many looks one takes before others get a chance to run.
const yield = 1 << 10

// newPool has one helper less than threads, the caller being the other; no more than there are processors. It is nil
// for one thread.
func newPool(threads int) *pool {
	threads = min(threads, runtime.GOMAXPROCS(0))
	if threads < 2 {
		return nil
	}
	p := &pool{}
	for range threads - 1 {
		h := &helper{wake: make(chan struct{}, 1)}
		p.helpers = append(p.helpers, h)
		go p.help(h)
	}
	return p
}

// close ends the helpers; nothing may run.
func (p *pool) close() {
	p.closed.Store(true)
	p.rouse()
}

// rouse wakes those asleep.
func (p *pool) rouse() {
	for _, h := range p.helpers {
		if h.asleep.CompareAndSwap(true, false) {
			h.wake <- struct{}{}
		}
	}
}

// run returns when all calls of j have.
func (p *pool) run(j *job) {
	// A helper late from j's last run may begin with the new one as soon as next says so.
	j.done.Store(0)
	j.next.Store(0)
	p.current.Store(j)
	p.turn.Add(1)
	j.work()
	for looks := 1; j.done.Load() < j.n; looks++ {
		if looks%yield == 0 {
			runtime.Gosched()
		}
	}
}

// work makes calls until none is left to begin.
func (j *job) work() {
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			return
		}
		j.do(int(i))
		j.done.Add(1)
	}
}

func (p *pool) help(h *helper) {
	var seen uint32
	for idle := 0; ; idle++ {
		if turn := p.turn.Load(); turn != seen {
			seen, idle = turn, 0
			p.current.Load().work()
		}
		if idle%yield == yield-1 {
			runtime.Gosched()
		}
		if idle < spins {
			continue
		}
		idle = 0
		h.asleep.Store(true)
		// Whoever takes asleep back, rouse or this, decides whether there is a signal to wait for.
		if p.turn.Load() == seen && !p.closed.Load() || !h.asleep.CompareAndSwap(true, false) {
			<-h.wake
		}
		if p.closed.Load() {
			return
		}
	}
}

// measure decides whether j is worth sharing: the median time of some runs must be a tenth less.
func (p *pool) measure(j *job) {
	if j.alone = j.n < 2; j.alone {
		return
	}
	median := func(f func()) time.Duration {
		var took [11]time.Duration
		for i := range took {
			start := time.Now()
			f()
			took[i] = time.Since(start)
		}
		slices.Sort(took[:])
		return took[len(took)/2]
	}
	p.rouse()
	shared := median(func() { p.run(j) })
	j.alone = shared*10 > median(j.serial)*9
}
