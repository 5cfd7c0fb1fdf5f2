package main

import (
	"fmt"

	"mnet-edge/infer"
)

// paired is how two quantizers compare, in words.
type paired struct{ infer.Paired }

func pair(first, second []bool) paired { return paired{infer.Pair(first, second)} }

// word is what the interval says of the first way.
func (p paired) word() string {
	switch lo, hi := p.Interval(); {
	case lo > 0:
		return "ahead"
	case hi < 0:
		return "behind"
	}
	return "equal"
}

// String is the difference in points with its interval and the counts it rests on: 0.12 [-0.05, 0.29], 40:28, equal.
func (p paired) String() string {
	return fmt.Sprintf("%s, %d:%d, %s", p.points(), p.First, p.Second, p.word())
}

// points is the difference in points with its interval.
func (p paired) points() string {
	lo, hi := p.Interval()
	return fmt.Sprintf("%.2f [%.2f, %.2f]", 100*p.Difference(), 100*lo, 100*hi)
}

// equal is, place by place, whether a has what b has.
func equal(a, b []int) []bool {
	same := make([]bool, len(a))
	for i := range a {
		same[i] = a[i] == b[i]
	}
	return same
}

// share is that of true.
func share(b []bool) float64 {
	n := 0
	for _, x := range b {
		if x {
			n++
		}
	}
	return float64(n) / float64(len(b))
}
