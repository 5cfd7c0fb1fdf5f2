package infer

import (
	"context"
	"math"
	"time"

	"mnet-edge/clock"
)

// Warmup is what was called before the timed calls.
type Warmup struct {
	Calls  int  `json:"calls"`
	Stable bool `json:"stable"` // it ended because the times had stopped changing, not because its own time was over
}

// A warm-up is stable when the calls of a window take as long as those of the window before: clocks have risen, caches are
// filled, lazy memory is there. A window has enough calls for a median, and enough time for a clock to rise.
const (
	windowCalls  = 5
	windowTime   = 20 * time.Millisecond
	stableWithin = 0.02 // of the median before
)

// warmUp calls the session as the options say, and forgets the times but the first.
func (c *stopwatch) warmUp(ctx context.Context, s Session, opts MeasureOptions) error {
	start := clock.Now()
	left := func() time.Duration { return seconds(opts.WarmupMaxSecs) - clock.Since(start) }
	if err := c.repeat(ctx, s, bounds{opts.WarmupRuns, seconds(opts.WarmupMinSecs), seconds(opts.MaxSecs)}); err != nil {
		return err
	}
	var w Warmup
	for before := 0.0; !w.Stable && left() > 0; {
		at := len(c.samples)
		if err := c.repeat(ctx, s, bounds{windowCalls, windowTime, left()}); err != nil {
			return err
		}
		window := c.samples[at:]
		if len(window) < windowCalls { // cut short
			break
		}
		now := MedianMicroseconds(window)
		w.Stable = math.Abs(now-before) <= stableWithin*before
		before = now
	}
	w.Calls = len(c.samples)
	c.warmup, c.samples = w, c.samples[:0]
	return nil
}
