package infer

import (
	"context"
	"math"
	"runtime"
	"slices"
	"time"

	"mnet-edge/clock"
)

// Latency sums up the times of Invoke calls, in microseconds. P50, P90 and P99 are Quantiles.
type Latency struct {
	Count  int     `json:"count"` // timed calls
	First  float64 `json:"first"` // the first call of all, warm-up included
	P50    float64 `json:"p50"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
	Mean   float64 `json:"mean"`
	StdDev float64 `json:"stddev"` // of the sample; 0 for one call
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Warmup Warmup  `json:"warmup"`

	kept *measured
}

// HeadlineCalls is the fewest calls whose quantiles are to be quoted: of 1,024, ten lie beyond p99. It is also the least
// that MLPerf's LoadGen takes for one stream.
const HeadlineCalls = 1024

// MeasureOptions are benchmark_model's flags of the same names: calls are repeated until there were NumRuns of them and
// MinSecs have passed, but not beyond MaxSecs. The warm-up is WarmupRuns calls and WarmupMinSecs, within MaxSecs too, and
// then goes on until it is stable (Warmup), for WarmupMaxSecs in all.
type MeasureOptions struct {
	WarmupRuns    int
	WarmupMinSecs float64
	WarmupMaxSecs float64 // 0: stable or not
	NumRuns       int     // at least 1 call is timed
	MinSecs       float64
	MaxSecs       float64 // 0 is no limit
}

// Measure writes the input once and times Invoke alone. An error of Invoke, or the end of ctx, ends it.
func Measure(ctx context.Context, s Session, input []byte, opts MeasureOptions) (Latency, error) {
	if err := s.Write(input); err != nil {
		return Latency{}, err
	}
	c := newStopwatch(max(opts.NumRuns, 1<<14))
	if err := c.warmUp(ctx, s, opts); err != nil {
		return Latency{}, err
	}
	if err := c.repeat(ctx, s, bounds{max(opts.NumRuns, 1), seconds(opts.MinSecs), seconds(opts.MaxSecs)}); err != nil {
		return Latency{}, err
	}
	return c.latency(), nil
}

// Times are the times of n calls in microseconds, each taken as Measure takes it. What Write wrote last is the input.
func Times(s Session, n int) ([]float64, error) {
	c := newStopwatch(n)
	for range n {
		if err := c.invoke(s); err != nil {
			return nil, err
		}
	}
	return inMicroseconds(c.samples), nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// bounds: at least runs calls and least time, but at most the time most (0: no limit).
type bounds struct {
	runs        int
	least, most time.Duration
}

// stopwatch collects the times of Invoke calls.
type stopwatch struct {
	first   time.Duration // 0 before the first call
	samples []time.Duration
	warmup  Warmup
	yielded clock.Instant
}

// spell is how long the stopwatch keeps its processor. From a goroutine that has not yielded for 10 ms, all that time in foreign
// calls, the runtime's monitor thread takes it away, and again every 20 µs (retake, in Go 1.26's runtime/proc.go): a fifth of
// a processor, which may share its units with the one that is measured. That was worth 5 % of p50 and 10 % of p99.
const spell = 4 * time.Millisecond

// mostRoom bounds what a stopwatch has room for from the start: many calls may be asked for where the time is to end them.
const mostRoom = 1 << 20

// newStopwatch has room for n samples, so that nothing is allocated between the calls; beyond n, and mostRoom, the room doubles, never
// within a timed call.
func newStopwatch(n int) *stopwatch {
	return &stopwatch{samples: make([]time.Duration, 0, min(n, mostRoom))}
}

func (c *stopwatch) invoke(s Session) error {
	start := clock.Now()
	if start.Sub(c.yielded) > spell {
		runtime.Gosched()
		start = clock.Now()
		c.yielded = start
	}
	err := s.Invoke()
	took := clock.Since(start)
	if c.first == 0 {
		c.first = took
	}
	c.samples = append(c.samples, took)
	return err
}

func (c *stopwatch) repeat(ctx context.Context, s Session, b bounds) error {
	start := clock.Now()
	for i := 0; ; i++ {
		passed := clock.Since(start)
		if i >= b.runs && passed >= b.least || i > 0 && b.most > 0 && passed > b.most {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.invoke(s); err != nil {
			return err
		}
	}
}

func (c *stopwatch) latency() Latency {
	us := inMicroseconds(c.samples)
	l := summarize(us)
	l.First, l.Warmup = Microseconds(c.first), c.warmup
	if l.Count > 0 {
		l.kept = keep(us)
	}
	return l
}

// Microseconds is d in the unit of this package's times.
func Microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func inMicroseconds(samples []time.Duration) []float64 {
	us := make([]float64, len(samples))
	for i, d := range samples {
		us[i] = Microseconds(d)
	}
	return us
}

// summarize sorts the samples, in microseconds; First and Warmup are left to the caller.
func summarize(us []float64) Latency {
	n := len(us)
	if n == 0 {
		return Latency{}
	}
	slices.Sort(us)
	l := Latency{Count: n, P50: Quantile(us, 50), P90: Quantile(us, 90), P99: Quantile(us, 99), Min: us[0], Max: us[n-1]}
	for _, x := range us {
		l.Mean += x / float64(n)
	}
	if n > 1 {
		squares := 0.0
		for _, x := range us {
			squares += (x - l.Mean) * (x - l.Mean)
		}
		l.StdDev = math.Sqrt(squares / float64(n-1))
	}
	return l
}

// Quantile of sorted samples, one at least, is that of the nearest rank: the smallest sample that at least percent, 1 to 100, of them do not
// exceed. So it is always one that was measured.
func Quantile(sorted []float64, percent int) float64 {
	return sorted[nearestRank(len(sorted), percent)-1]
}

// nearestRank is the place, from 1, of a quantile of n sorted samples.
func nearestRank(n, percent int) int { return (percent*n + 99) / 100 }

// MedianMicroseconds is the Quantile of 50 percent; 0 of no times.
func MedianMicroseconds(times []time.Duration) float64 {
	if len(times) == 0 {
		return 0
	}
	us := inMicroseconds(times)
	slices.Sort(us)
	return Quantile(us, 50)
}
