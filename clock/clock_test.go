package clock_test

import (
	"testing"
	"time"

	"mnet-edge/clock"
)

// The clock never goes back, and tells instants apart between which there are microseconds.
func TestSteps(t *testing.T) {
	finest := time.Hour
	last := clock.Now()
	for steps := 0; steps < 1000; {
		now := clock.Now()
		if now < last {
			t.Fatalf("%d follows %d", now, last)
		}
		if now > last {
			finest = min(finest, now.Sub(last))
			last, steps = now, steps+1
		}
	}
	if finest > 2*time.Microsecond {
		t.Errorf("the finest step of a thousand is %v", finest)
	}
}

// It is read between calls that are counted to allocate nothing.
func TestAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { clock.Since(clock.Now()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// It goes as fast as Go's.
func TestPace(t *testing.T) {
	slow, fast := time.Now(), clock.Now()
	time.Sleep(200 * time.Millisecond)
	inner := clock.Since(fast)
	outer := time.Since(slow)
	if tick := 20 * time.Millisecond; inner < 200*time.Millisecond-tick || inner > outer+tick {
		t.Errorf("%v passed within %v", inner, outer)
	}
}
