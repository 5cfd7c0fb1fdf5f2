// Package clock is what calls are timed by: Go's monotonic clock, and on Windows the system's performance counter, since Go's moves there
// only as often as the system's tick, every half to sixteen milliseconds.
package clock

import "time"

// Instant is a point in time, of use only beside others of the same process.
type Instant int64 // nanoseconds

// Since is the time that has passed since then.
func Since(then Instant) time.Duration { return Now().Sub(then) }

// Sub is the time from then to t.
func (t Instant) Sub(then Instant) time.Duration { return time.Duration(t - then) }
