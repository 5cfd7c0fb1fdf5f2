package soak

import (
	"math"
	"runtime"
	"testing"

	"mnet-edge/infer"
)

// grown holds many calls or sessions to what they may add to the process: 2 % of its memory, no file descriptor. Memory
// comes and goes by as much, so before and after are each the lowest of five readings with work between them. The C library
// has a heap for each thread; the test stays on one. The short run, too short for the heaps to settle, allows 4 MB on top,
// less than a model a session.
func grown(t *testing.T, what string, work func(n int), some, n int) {
	t.Helper()
	needProc(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lowest := func() float64 {
		low := math.Inf(1)
		for range 5 {
			work(some)
			low = min(low, resident(t))
		}
		return low
	}
	before, files := lowest(), openFiles(t)
	work(n)
	after, filesAfter := lowest(), openFiles(t)
	limit := before * 1.02
	if !full {
		limit += 4
	}
	if after > limit {
		t.Errorf("%d %s: memory grew from %.2f to %.2f MB", n, what, before, after)
	}
	if filesAfter > files {
		t.Errorf("%d %s: file descriptors grew from %d to %d", n, what, files, filesAfter)
	}
	t.Logf("%d %s: memory %.2f MB before, %.2f after (%+.2f %%); %d file descriptors before, %d after",
		n, what, before, after, 100*(after/before-1), files, filesAfter)
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
					if err := s.Write(in); err != nil {
						t.Fatal(err)
					}
					if err := s.Invoke(); err != nil {
						t.Fatal(err)
					}
					if err := s.Read(out); err != nil {
						t.Fatal(err)
					}
				}
			}, amount(20, 1000), amount(400, 100_000))
		})
	}
}

func TestManySessions(t *testing.T) {
	model := vector(t, "cifar10")
	for _, e := range engines() {
		t.Run(e.String(), func(t *testing.T) {
			grown(t, "sessions", func(n int) {
				for range n {
					var s infer.Session
					var err error
					if s, err = e.open(model); err != nil {
						t.Fatal(err)
					}
					if _, err := answer(s, 0); err != nil {
						t.Fatal(err)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}, amount(4, 300), amount(40, 1000))
		})
	}
}
