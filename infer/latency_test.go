package infer

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"mnet-edge/graph"
)

// inBubble runs a test on a clock that moves only while all sleep.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the counter that calls are timed by there is outside the bubble")
	}
	synctest.Test(t, f)
}

// slow is a session whose calls take times of the bubble's clock: took(i) for call i.
type slow struct {
	took  func(i int) time.Duration
	fail  int // the call that fails, counted from 1
	calls int
}

func (s *slow) Input() Tensor        { return Tensor{"in", graph.Type{DType: graph.UInt8, Shape: []int{1}}} }
func (s *slow) Output() Tensor       { return s.Input() }
func (s *slow) Placement() Placement { return Placement{} }
func (s *slow) Write(in []byte) error {
	return s.Input().CheckSize(len(in))
}
func (s *slow) Read(out []byte) error { return s.Output().CheckSize(len(out)) }
func (s *slow) Close() error          { return nil }
func (s *slow) Invoke() error {
	time.Sleep(s.took(s.calls))
	if s.calls++; s.calls == s.fail {
		return errors.New("out of order")
	}
	return nil
}

func TestMeasure(t *testing.T) {
	const ms = time.Millisecond
	constant := func(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }
	coldStart := func(i int) time.Duration { return map[bool]time.Duration{true: 100 * ms, false: ms}[i == 0] }
	for _, test := range []struct {
		name         string
		took         func(int) time.Duration
		opts         MeasureOptions
		calls, timed int
		first        float64
	}{
		{"runs", constant(10 * ms), MeasureOptions{WarmupRuns: 2, NumRuns: 5}, 7, 5, 10e3},
		{"seconds need more than the runs", constant(10 * ms), MeasureOptions{NumRuns: 5, MinSecs: 0.1}, 10, 10, 10e3},
		{"most seconds allow less than the runs", constant(10 * ms), MeasureOptions{NumRuns: 50, MaxSecs: 0.095}, 10, 10, 10e3},
		{"one call however slow", constant(10 * time.Second), MeasureOptions{WarmupRuns: 1, NumRuns: 3, MaxSecs: 1}, 2, 1, 10e6},
		{"warm-up by time", constant(10 * ms), MeasureOptions{WarmupRuns: 1, WarmupMinSecs: 0.05, NumRuns: 1}, 6, 1, 10e3},
		{"no runs asked", constant(10 * ms), MeasureOptions{}, 1, 1, 10e3},
		{"the first call is that of the warm-up", coldStart, MeasureOptions{WarmupRuns: 1, NumRuns: 4}, 5, 4, 100e3},
	} {
		inBubble(t, func(t *testing.T) {
			s := &slow{took: test.took}
			l, err := Measure(t.Context(), s, []byte{0}, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if s.calls != test.calls || l.Count != test.timed || l.First != test.first {
				t.Errorf("%s: %d calls, %d timed, first %v us; want %d, %d, %v", test.name, s.calls, l.Count, l.First,
					test.calls, test.timed, test.first)
			}
		})
	}
}

// likeBenchmarkModel is what TFLite's benchmark_model does without flags.
var likeBenchmarkModel = MeasureOptions{WarmupRuns: 1, WarmupMinSecs: 0.5, NumRuns: 50, MinSecs: 1, MaxSecs: 150}

func TestMeasureErrors(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		second := func(int) time.Duration { return time.Second }
		if _, err := Measure(t.Context(), &slow{took: second}, []byte{0, 0}, likeBenchmarkModel); err == nil {
			t.Error("an input of the wrong size was measured")
		}
		for fail := 1; fail <= 2; fail++ { // in the warm-up, then timed
			if _, err := Measure(t.Context(), &slow{took: second, fail: fail}, []byte{0}, MeasureOptions{WarmupRuns: 1, NumRuns: 9}); err == nil {
				t.Errorf("the error of call %d was lost", fail)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		s := &slow{took: second}
		if _, err := Measure(ctx, s, []byte{0}, likeBenchmarkModel); !errors.Is(err, context.DeadlineExceeded) || s.calls != 4 {
			t.Errorf("%v after %d calls, want the deadline after 4", err, s.calls)
		}
	})
}

func TestSummarize(t *testing.T) {
	hundred := make([]float64, 100) // 100, 99, ... 1
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, test := range []struct {
		us   []float64
		want Latency
	}{
		{nil, Latency{}},
		{[]float64{7}, Latency{Count: 1, P50: 7, P90: 7, P99: 7, Mean: 7, Min: 7, Max: 7}},
		{[]float64{3, 1}, Latency{Count: 2, P50: 1, P90: 3, P99: 3, Mean: 2, StdDev: math.Sqrt2, Min: 1, Max: 3}},
		{[]float64{4, 2, 9}, Latency{Count: 3, P50: 4, P90: 9, P99: 9, Mean: 5, StdDev: math.Sqrt(13), Min: 2, Max: 9}},
		// The standard deviation of 1..n is sqrt(n (n+1) / 12).
		{hundred, Latency{Count: 100, P50: 50, P90: 90, P99: 99, Mean: 50.5, StdDev: math.Sqrt(100 * 101 / 12.0), Min: 1, Max: 100}},
	} {
		got := summarize(test.us)
		near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
		exact := got
		exact.Mean, exact.StdDev = test.want.Mean, test.want.StdDev
		if exact != test.want || !near(got.Mean, test.want.Mean) || !near(got.StdDev, test.want.StdDev) {
			t.Errorf("%d samples: %+v, want %+v", len(test.us), got, test.want)
		}
	}
}
