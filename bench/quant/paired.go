package main

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// paired compares two ways to answer the same questions: what counts is where only one of them is right.
type paired struct{ n, first, second int } // questions; those that only the first, only the second way has right

// pair counts.
func pair(first, second []bool) paired {
	p := paired{n: len(first)}
	for i := range first {
		switch {
		case first[i] && !second[i]:
			p.first++
		case second[i] && !first[i]:
			p.second++
		}
	}
	return p
}

// difference is the share that the first way has right less that of the second.
func (p paired) difference() float64 { return float64(p.first-p.second) / float64(p.n) }

// interval holds the true difference with 95 % confidence: Wald's interval for paired shares after two questions more, of which
// either way has one right. Source: Bonett and Price, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions
// Based on Paired Data", 2012.
func (p paired) interval() (lo, hi float64) {
	n := float64(p.n + 2)
	a, b := float64(p.first+1)/n, float64(p.second+1)/n
	half := distuv.UnitNormal.Quantile(0.975) * math.Sqrt((a+b-(a-b)*(a-b))/n)
	return a - b - half, a - b + half
}

// word is what the interval says of the first way.
func (p paired) word() string {
	switch lo, hi := p.interval(); {
	case lo > 0:
		return "ahead"
	case hi < 0:
		return "behind"
	}
	return "equal"
}

// String is the difference in points with its interval and the counts it rests on: 0.12 [-0.05, 0.29], 40:28, equal.
func (p paired) String() string {
	return fmt.Sprintf("%s, %d:%d, %s", p.points(), p.first, p.second, p.word())
}

// points is the difference in points with its interval.
func (p paired) points() string {
	lo, hi := p.interval()
	return fmt.Sprintf("%.2f [%.2f, %.2f]", 100*p.difference(), 100*lo, 100*hi)
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
