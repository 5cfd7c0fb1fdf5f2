package infer

import (
	"testing"
	"time"
)

// A warm-up lasts as long as the calls grow faster, and a little longer to see that they no longer do.
func TestWarmUp(t *testing.T) {
	const ms = time.Millisecond
	constant := func(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }
	for _, test := range []struct {
		name string
		took func(i int) time.Duration
		opts MeasureOptions
		want Warmup
	}{
		{"not asked for", constant(ms), MeasureOptions{WarmupRuns: 3}, Warmup{3, false}},
		{"stable from the start: two windows of 20 ms", constant(ms), MeasureOptions{WarmupMaxSecs: 1}, Warmup{40, true}},
		{"behind the runs", constant(ms), MeasureOptions{WarmupRuns: 10, WarmupMaxSecs: 1}, Warmup{50, true}},
		{"slow calls: two windows of 5", constant(100 * ms), MeasureOptions{WarmupMaxSecs: 2}, Warmup{10, true}},
		{"calls for which the time is too short", constant(time.Second), MeasureOptions{WarmupMaxSecs: 2}, Warmup{3, false}},
		{"a clock that rises for 100 ms", func(i int) time.Duration {
			if i < 50 {
				return 2 * ms
			}
			return ms
		}, MeasureOptions{WarmupMaxSecs: 2}, Warmup{20, true}}, // the first 40 ms already look stable
		{"a clock that rises all the time", func(i int) time.Duration { return time.Duration(float64(10*ms) / (1 + float64(i)/20)) },
			MeasureOptions{WarmupMaxSecs: 0.1}, Warmup{13, false}},
		{"within 2 %", func(i int) time.Duration { return ms + time.Duration(i)*5*time.Microsecond/20 }, MeasureOptions{WarmupMaxSecs: 2}, Warmup{40, true}},
	} {
		inBubble(t, func(t *testing.T) {
			s := &slow{took: test.took}
			l, err := Measure(t.Context(), s, []byte{0}, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if l.Warmup != test.want || s.calls != test.want.Calls+1 || l.Count != 1 {
				t.Errorf("%s: %+v and %d calls in all, want %+v and one more", test.name, l.Warmup, s.calls, test.want)
			}
		})
	}
}

// The sessions of a comparison are warmed up each.
func TestWarmUpInterleaved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fast := &slow{took: func(int) time.Duration { return time.Millisecond }}
		cold := &slow{took: func(i int) time.Duration { return max(time.Second>>i, time.Millisecond) }}
		ls, err := MeasureInterleaved(t.Context(), []Session{fast, cold}, [][]byte{{0}, {0}}, MeasureOptions{WarmupMaxSecs: 5, NumRuns: 10})
		if err != nil {
			t.Fatal(err)
		}
		if !ls[0].Warmup.Stable || !ls[1].Warmup.Stable || ls[1].Max > 1000 || ls[1].First != 1e6 {
			t.Errorf("%+v\n%+v", ls[0], ls[1])
		}
	})
}

// The first call of a session's turn, which finds the other's data in the caches, is not counted.
func TestTurnsBeginUncounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		last := ""
		session := func(name string) Session {
			return &slow{took: func(int) time.Duration {
				defer func() { last = name }()
				if last != name {
					return 10 * time.Millisecond
				}
				return time.Millisecond
			}}
		}
		ls, err := MeasureInterleaved(t.Context(), []Session{session("a"), session("b")}, [][]byte{{0}, {0}}, MeasureOptions{NumRuns: 50})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range ls {
			if l.Count != 50 || l.Max != 1000 {
				t.Errorf("%d calls, the longest of %v µs: want 50, each of 1000", l.Count, l.Max)
			}
		}
	})
}
