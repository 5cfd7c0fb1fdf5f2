package native

import (
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// A pool is goroutines that help with the calls a step consists of. Between steps they spin, so that a step of a few
// microseconds is worth sharing; when no step has come for a while they sleep until the next run of the plan.
//
// What changes hands between processors lies in one line of their caches, and nothing else there.
type pool struct {
	helpers []*helper
	closed  atomic.Bool

	serial time.Duration // what the plan takes without help; 0 until that is known
	slow   int           // runs that took longer with it, less those that did not
	rest   int           // runs to go without it

	_       [64]byte
	next    atomic.Uint64       // the turn, which counts the jobs given out, in the high half; the call to begin next
	current atomic.Pointer[job] // the turn's job
	done    atomic.Int32        // calls finished
	_       [64]byte
}

type helper struct {
	asleep atomic.Bool
	here   atomic.Bool   // it has made a call since this was made false
	wake   chan struct{} // of capacity 1: a signal for each time asleep is found true and made false
}

// job is a step's calls, in any order and by any goroutine. It may be run again and again.
type job struct {
	n      uint32
	do     func(i int)
	serial func() // all of them, in this goroutine
	alone  bool   // sharing was measured not to be worth it
}

// When help has cost time patience times more often than it saved some, since other programs want the processors, the next
// runs go without.
const (
	patience = 8
	rest     = 500
)

// watch runs a plan with help, unless that has not paid of late.
func (p *pool) watch(run func()) {
	if p.rest > 0 {
		p.rest--
		run()
		return
	}
	p.rouse()
	start := time.Now()
	run()
	switch took := time.Since(start); {
	case p.serial == 0:
	case took <= p.serial:
		p.slow = max(p.slow-1, 0)
	default:
		if p.slow++; p.slow == patience {
			p.slow, p.rest = patience/2, rest
		}
	}
}

// calibrate finds out what the plan takes without help.
func (p *pool) calibrate(run func()) {
	p.rest = math.MaxInt
	p.serial = median(run)
	p.rest = 0
}

// none is a call that no job has.
const none = math.MaxUint32

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
	turn := p.next.Load()>>32 + 1
	p.done.Store(0)
	p.next.Store(turn<<32 | none) // before there is a new job, so that nobody takes its calls for the old one's
	p.current.Store(j)
	p.next.Store(turn << 32)
	p.work()
	for looks := 1; uint32(p.done.Load()) < j.n; looks++ {
		if looks%yield == 0 {
			runtime.Gosched()
		}
	}
}

// work makes calls until none is left to begin, and tells whether there was one. Whoever is late and takes a job for that
// of a turn that is over fails to begin a call, since the turn is part of what must not have changed meanwhile.
func (p *pool) work() (some bool) {
	for {
		at := p.next.Load()
		j := p.current.Load()
		if j == nil || uint32(at) >= j.n {
			return some
		}
		// Half of what is left, of two threads: few takings, each of which costs the other processor a line of its cache, and
		// small ones at the end, where they even things out.
		first := uint32(at)
		n := (j.n - first + uint32(len(p.helpers))) / uint32(len(p.helpers)+1)
		if p.next.CompareAndSwap(at, at+uint64(n)) {
			for i := range n {
				j.do(int(first + i))
			}
			p.done.Add(int32(n))
			some = true
		}
	}
}

func (p *pool) help(h *helper) {
	for idle := 0; ; idle++ {
		if p.work() {
			idle = 0
			if !h.here.Load() {
				h.here.Store(true)
			}
		}
		if idle%yield == yield-1 {
			runtime.Gosched()
		}
		if idle < spins {
			continue
		}
		idle = 0
		turn := p.next.Load() >> 32
		h.asleep.Store(true)
		// Whoever takes asleep back, rouse or this, decides whether there is a signal to wait for.
		if p.next.Load()>>32 == turn && !p.closed.Load() || !h.asleep.CompareAndSwap(true, false) {
			<-h.wake
		}
		if p.closed.Load() {
			return
		}
	}
}

// arrival is how long the helpers are waited for before a job is measured: goroutines that sleep, perhaps on threads that do.
const arrival = 2 * time.Millisecond

// measure decides whether j is worth sharing: the median time of some runs must be a tenth less, with all helpers there.
func (p *pool) measure(j *job) {
	if j.alone = j.n < 2; j.alone {
		return
	}
	for _, h := range p.helpers {
		h.here.Store(false)
	}
	p.rouse()
	missing := func(h *helper) bool { return !h.here.Load() }
	for start := time.Now(); slices.ContainsFunc(p.helpers, missing) && time.Since(start) < arrival; {
		p.run(j)
	}
	shared := median(func() { p.run(j) })
	j.alone = shared*10 > median(j.serial)*9
}

// median is what f takes.
func median(f func()) time.Duration {
	var took [31]time.Duration
	for i := range took {
		start := time.Now()
		f()
		took[i] = time.Since(start)
	}
	slices.Sort(took[:])
	return took[len(took)/2]
}
