package infer

import "math"

// Paired compares two ways to answer the same questions: what counts is where only one of them is right. Two models that were right
// equally often on 10,000 images may yet be far apart, and two that were not may be equal.
type Paired struct {
	N             int // questions
	First, Second int // those that only the first, only the second way has right
}

// Pair counts where the first and the second way are right, question by question.
func Pair(first, second []bool) Paired {
	p := Paired{N: len(first)}
	for i := range first {
		switch {
		case first[i] && !second[i]:
			p.First++
		case second[i] && !first[i]:
			p.Second++
		}
	}
	return p
}

// Difference is the share that the first way has right less that of the second, -1..1.
func (p Paired) Difference() float64 { return float64(p.First-p.Second) / float64(p.N) }

// Interval holds the true difference with 95 % confidence: Wald's interval for paired shares after two questions more, of which
// either way has one right. Source: Bonett and Price, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions
// Based on Paired Data", 2012.
func (p Paired) Interval() (lo, hi float64) {
	n := float64(p.N + 2)
	a, b := float64(p.First+1)/n, float64(p.Second+1)/n
	half := normal975 * math.Sqrt((a+b-(a-b)*(a-b))/n)
	return max(a-b-half, -1), min(a-b+half, 1)
}
