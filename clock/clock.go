//go:build !windows

package clock

import "time"

var start = time.Now()

// Now is the present instant.
func Now() Instant { return Instant(time.Since(start)) }
