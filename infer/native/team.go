package native

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"mnet-edge/clock"
)

// A team runs a plan by several threads: the caller, which is thread 0, and helpers. Each has the same part of a phase in
// every run, so that what a thread reads is often what it has written itself. After each stretch all wait for all, and that is
// all they tell each other: how many stretches they have done. Between runs the helpers spin for a while, and then sleep until
// the next.
//
// A helper that is not there, since it sleeps or other programs have its processor, is not waited for: the caller does its
// part too, until it comes.
type team struct {
	plan    [][]*phase // in stretches
	threads []*thread  // the caller's and the helpers'
	helpers []*helper
	now     uint64 // stretches of all runs until now
	closed  atomic.Bool

	always  bool          // to have help whatever that is worth
	alone   time.Duration // the least that the plan takes without
	balance time.Duration // what help has saved of late
	trial   int           // runs to have help before it is judged
	rest    int           // runs to go without it
}

// thread is how far one has come. What other processors look at has a line of their caches for itself; two, since some
// fetch two at a time.
type thread struct {
	_         [128]byte
	done      atomic.Uint64 // stretches of all runs
	processor atomic.Int64  // where it was when that last mattered, or -1
	_         [112]byte
}

func newThread() *thread {
	t := &thread{}
	t.processor.Store(-1)
	return t
}

// helper is a thread that the caller invites to each run.
type helper struct {
	*thread
	number int
	role   int // the caller's

	_          [128]byte
	invitation atomic.Uint64 // twice the stretch to begin with, and 1 when it has been accepted; 0 when withdrawn
	state      atomic.Uint32
	wake       chan struct{} // of capacity 1: a signal for each time state goes from asleep to roused
	_          [96]byte
}

// What a helper is in a run.
const (
	absent  = iota // it is to be asked when it is ready
	asked          // from the present stretch on
	present        // it has a part in each stretch
	missing        // it did not answer
)

// States of a helper.
const (
	ready  = iota // it looks for invitations
	asleep        // it waits for a signal
	roused        // it has been given one
)

// Help that costs time, since other programs want the processors, is done without until what it has cost is a small part of
// the time since.
const (
	measured = 32                    // runs without help, when a model is opened, ...
	within   = 20 * time.Millisecond // as far as they take no longer, but one
	tried    = 8                     // runs with it before it is judged, and as many as there are in ...
	waking   = time.Millisecond      // since the first ones may find helpers asleep
	amends   = 40                    // the time to do without is so many times that lost
	savings  = 20 * time.Millisecond // the most that the balance can be: it pays for what other programs do now and then
)

// Looks at what another thread has to say.
const (
	untilMissing = 1 << 11 // before a helper that does not answer is done without: some microseconds
	untilSleep   = 1 << 15 // before one sleeps, or has to do something about being kept waiting: some tens
)

// newTeam has no more threads than there are processors. It is nil for one.
func newTeam(threads int) *team {
	threads = min(threads, runtime.GOMAXPROCS(0))
	if threads < 2 {
		return nil
	}
	t := &team{threads: []*thread{newThread()}}
	for i := range threads - 1 {
		h := &helper{thread: newThread(), number: i + 1, wake: make(chan struct{}, 1)}
		t.threads, t.helpers = append(t.threads, h.thread), append(t.helpers, h)
	}
	return t
}

// size is the number of threads: without a team there is the caller.
func (t *team) size() int {
	if t == nil {
		return 1
	}
	return len(t.threads)
}

// start gives it the plan, and finds out what that takes without help, unless that is always wanted.
func (t *team) start(plan [][]*phase, always bool) {
	t.plan, t.always, t.alone = plan, always, math.MaxInt64
	if !always {
		start := clock.Now()
		for t.rest = measured; t.rest == measured || t.rest > 0 && clock.Since(start) < within; {
			t.watch()
		}
		t.rest = 0
	}
	t.trial = t.fair()
	for _, h := range t.helpers {
		go t.help(h)
	}
}

// close ends the helpers; nothing may run.
func (t *team) close() {
	t.closed.Store(true)
	t.rouse()
}

// watch is run, without help where that has not been worth it of late. It is worth it if it saves a tenth of the time.
func (t *team) watch() {
	start := clock.Now()
	if t.rest > 0 {
		t.runAlone()
		t.rest--
		t.alone = max(min(t.alone, clock.Since(start)), 1)
		return
	}
	t.run()
	t.judge(clock.Since(start))
}

// judge accounts for a run with help.
func (t *team) judge(took time.Duration) {
	t.balance = min(t.balance+t.alone/10*9-took, savings)
	if t.trial = max(t.trial-1, 0); t.trial == 0 && t.balance < 0 && !t.always {
		t.rest, t.trial, t.balance = int(-t.balance*amends/t.alone)+1, t.fair(), 0
	}
}

// fair is how many runs a trial has.
func (t *team) fair() int { return tried + int(waking/t.alone) }

// runAlone runs the plan without help.
func (t *team) runAlone() {
	for _, phases := range t.plan {
		for thread := range t.threads {
			do(phases, thread)
		}
	}
	t.now += uint64(len(t.plan))
}

// run runs the plan.
func (t *team) run() {
	t.muster()
	for _, phases := range t.plan {
		t.stretch(phases)
	}
}

// muster begins a run.
func (t *team) muster() {
	t.rouse()
	for _, h := range t.helpers {
		h.role = absent
	}
}

// rouse wakes those asleep.
func (t *team) rouse() {
	for _, h := range t.helpers {
		if h.state.CompareAndSwap(asleep, roused) {
			t.threads[0].processor.Store(int64(processor()))
			h.wake <- struct{}{}
		}
	}
}

// stretch does the caller's part and those of whoever is not there, and waits for the others.
func (t *team) stretch(phases []*phase) {
	t.now++
	for _, h := range t.helpers {
		if h.role == absent && h.state.Load() == ready {
			h.role = asked
			h.invitation.Store(2 * t.now)
		}
	}
	do(phases, 0)
	for _, h := range t.helpers {
		if h.role == absent || h.role == missing {
			t.standIn(h, phases)
		}
	}
	t.threads[0].done.Store(t.now)
	for _, h := range t.helpers {
		if h.role == asked {
			if h.role = present; !h.answers(2 * t.now) {
				h.role = missing
				t.standIn(h, phases)
			}
		}
		h.await(t.now, t.giveWay)
	}
}

// standIn does a helper's part.
func (t *team) standIn(h *helper, phases []*phase) {
	do(phases, h.number)
	h.done.Store(t.now)
}

// do does a thread's part of some phases.
func do(phases []*phase, thread int) {
	for _, p := range phases {
		p.do(thread)
	}
}

// answers reports whether the helper takes part. If it does not say so in time, the invitation is withdrawn.
func (h *helper) answers(invitation uint64) bool {
	for range untilMissing {
		if h.invitation.Load() != invitation {
			return true
		}
	}
	return !h.invitation.CompareAndSwap(invitation, 0)
}

// await returns when so many stretches are done. If it is kept waiting, it does something about that.
func (t *thread) await(stretches uint64, about func()) {
	for looks := 1; t.done.Load() < stretches; looks++ {
		if looks%untilSleep == 0 {
			about()
		}
	}
}

// giveWay is what the caller does about a helper that is late: it may have been put where the caller is, and find no time to
// run there.
func (t *team) giveWay() {
	t.threads[0].processor.Store(int64(processor()))
	runtime.Gosched()
	yield()
}

// move is what a helper does about others that are late.
func (t *team) move() {
	leave(int(t.threads[0].processor.Load()))
	runtime.Gosched()
	yield()
}

// help is what a helper does. It does not look at the team while it waits or works, for the caller writes there.
func (t *team) help(h *helper) {
	number, plan, threads, move := h.number, t.plan, t.threads, t.move
	// join does its parts of the run from a stretch on.
	join := func(stretch uint64) {
		for n := uint64(len(plan)); ; stretch++ {
			do(plan[(stretch-1)%n], number)
			h.done.Store(stretch)
			if stretch%n == 0 {
				return
			}
			for _, other := range threads {
				other.await(stretch, move)
			}
		}
	}
	for looks := 0; ; looks++ {
		if at := h.invitation.Load(); at != 0 && at%2 == 0 && h.invitation.CompareAndSwap(at, at+1) {
			join(at / 2)
			looks = 0
		}
		if looks < untilSleep {
			continue
		}
		// Whoever finds it asleep sends a signal. But close may have looked just before, and does not come again.
		if h.state.Store(asleep); !t.closed.Load() {
			<-h.wake
			leave(int(threads[0].processor.Load()))
		}
		if t.closed.Load() {
			return
		}
		h.state.Store(ready)
		looks = 0
	}
}
