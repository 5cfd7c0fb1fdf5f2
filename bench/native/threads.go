package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mnet-edge/bench/internal/turns"
	"mnet-edge/infer"
)

// atOnce are sessions of one thread each that know nothing of each other. At work at the same time, they show what a
// machine has to give to threads: where processors share a core's units, a cache or a limit of power, two do not do twice
// the work of one, and threads that have to wait for each other can hardly be worth more than sessions that never do.
type atOnce []*session

// together is a runner of n sessions at once.
func together(name string, r infer.Runtime, delegate string, n int) runner {
	return runner{fmt.Sprintf("%s, %d at once", name, n), func(file, input string) (side, error) {
		var all atOnce
		for range n {
			s, err := openSession(r, delegate, 1, file, input)
			if err != nil {
				all.close()
				return nil, err
			}
			all = append(all, s)
		}
		return all, nil
	}}
}

// turn has the sessions make that many calls each, or some more and some fewer, so that none is idle before all are done.
// What each call took is the time of all through their number: it is to be compared with the mean of another side's turn.
func (a atOnce) turn(calls int) ([]float64, error) {
	var ready, begun atomic.Int64
	all, total := int64(len(a)), int64(len(a)*(calls-1))
	began, ended, errs := make([]time.Time, len(a)), make([]time.Time, len(a)), make([]error, len(a))
	var group sync.WaitGroup
	for i, s := range a {
		group.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			errs[i] = s.Invoke() // the one that is not counted
			for ready.Add(1); ready.Load() < all; {
				runtime.Gosched()
			}
			began[i] = time.Now()
			for errs[i] == nil && begun.Add(1) <= total {
				errs[i] = s.Invoke()
			}
			ended[i] = time.Now()
		})
	}
	group.Wait()
	whole := slices.MaxFunc(ended, time.Time.Compare).Sub(slices.MinFunc(began, time.Time.Compare))
	return slices.Repeat([]float64{infer.Microseconds(whole) / float64(total)}, calls), errors.Join(errs...)
}

func (a atOnce) answer() []byte { return a[0].out }

func (a atOnce) close() {
	for _, s := range a {
		s.close()
	}
}

// scaling says how many times the calls of one thread several make in the same time, and independent sessions of one
// thread: medians of the rounds' ratios, from the mean time of a call in each turn.
func scaling(threads int, one, independent, several []float64) string {
	times := func(of []float64) float64 {
		each := make([]float64, len(one))
		for round := range each {
			each[round] = one[round] / of[round]
		}
		return turns.Median(each)
	}
	return fmt.Sprintf("%d threads: x%.2f the calls of one; the machine allows x%.2f, by %d sessions of one thread at once",
		threads, times(several), times(independent), threads)
}
