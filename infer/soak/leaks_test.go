package soak

import (
	"math"
	"runtime"
	"testing"

	"mnet-edge/infer"
)

// grown holds many calls or sessions to what they may add to the process: memory of 2 % of its resident set, no file
// descriptor. What counts is the memory that is the process's own: pages of the program's files come and go with the
// system. Before and after are each the lowest of five readings with work between them, since the heaps breathe, and what
// grew is tried twice more: a heap that had not its size yet stops growing, a leak does not. The C library has a heap for
// each thread; the test stays on one. The short run allows 4 MB on top, less than a model a session.
func grown(t *testing.T, what string, work func(n int), some, n int) {
	t.Helper()
	needProc(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lowest := func() float64 {
		low := math.Inf(1)
		for range 5 {
			work(some)
			low = min(low, ownMemory(t))
		}
		return low
	}
	work(10 * some)
	before, files := lowest(), openFiles(t)
	resident := statusMB(t, "self", "VmRSS")
	limit := 0.02 * resident
	if !full {
		limit += 4
	}
	var grew []float64
	for len(grew) == 0 || grew[len(grew)-1] > limit && len(grew) < 3 {
		work(n)
		after := lowest()
		grew, before = append(grew, after-before), after
	}
	if grew[len(grew)-1] > limit {
		t.Errorf("%d %s: memory of %.2f MB grew by %.2f MB in turn", n, what, resident, grew)
	}
	filesAfter := openFiles(t)
	if filesAfter > files {
		t.Errorf("%d %s: file descriptors grew from %d to %d", n, what, files, filesAfter)
	}
	t.Logf("%d %s: memory of %.2f MB grew by %.2f MB (the last %+.2f %%); %d file descriptors before, %d after",
		n, what, resident, grew, 100*grew[len(grew)-1]/resident, files, filesAfter)
}

func TestManyCalls(t *testing.T) {
	model := vector(t, "small")
	for _, e := range engines() {
		t.Run(e.String(), func(t *testing.T) {
			s, err := e.open(model)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			in, out := make([]byte, s.Input().Type.Bytes()), make([]byte, s.Output().Type.Bytes())
			grown(t, "calls", func(n int) {
				for i := range n {
					fill(in, s.Input().Type, i)
					if err := infer.Call(s, in, out); err != nil {
						t.Fatal(err)
					}
				}
			}, amount(5, 1000), amount(400, 100_000))
		})
	}
}

func TestManySessions(t *testing.T) {
	model := vector(t, "cifar10")
	for _, e := range engines() {
		t.Run(e.String(), func(t *testing.T) {
			grown(t, "sessions", func(n int) {
				for range n {
					s, err := e.open(model)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := answer(s, 0); err != nil {
						t.Fatal(err)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}, amount(2, 100), amount(40, 1000))
		})
	}
}
