package convert

import (
	"math"
	"slices"

	"mnet-edge/graph"
)

// observer is a way to choose the range of an activation from the values seen. A range need not hold every value: those
// outside are clipped to its ends, which costs them accuracy and gives the others a finer step.
type observer struct {
	name   Choice
	counts bool // it looks at how many values there were of each size, not at the ends alone
	choose func(*histogram) graph.Interval
}

// observers are those known, the plainest first.
var observers = []observer{
	{"minmax", false, func(h *histogram) graph.Interval { return h.seen }},
	{"mse", true, leastSquares},
	{"percentile", true, percentile},
	{"entropy", true, leastDivergence},
}

// Observers are the names that Recipe.Observer may have, the plainest first.
func Observers() (names []Choice) {
	for _, o := range observers {
		names = append(names, o.name)
	}
	return names
}

// observerNamed is the observer of a recipe that Check has seen and fill has filled.
func observerNamed(name Choice) observer {
	return observers[slices.IndexFunc(observers, func(o observer) bool { return o.name == name })]
}

// percentile leaves out one value in 10,000 at either end. Source: Wu et al., "Integer Quantization for Deep Learning
// Inference", 2020, section 3.2, which finds 99.99 % the best of four for convolutional networks.
func percentile(h *histogram) graph.Interval {
	outside := h.total() / 10000
	edge := func(negative bool) int {
		bins := h.side(negative)
		i, beyond := len(bins), uint64(0)
		for i > 0 && beyond+bins[i-1] <= outside {
			i--
			beyond += bins[i]
		}
		return i
	}
	return h.interval(edge(true), edge(false))
}

// leastSquares chooses the range with the smallest expected square error, in which what is clipped weighs more. A value inside is off
// by a uniform share of a step (Bennett 1948: step^2 / 12), one beyond the end t by its distance to t:
//
//	E(lo, hi) = inside(lo, hi) * ((hi - lo) / 255)^2 / 12 + clipWeight * (sum over x > hi of (x - hi)^2 + sum over x < lo of (lo - x)^2)
//
// E is the sum of convex functions (but for inside, which hardly varies), so that improving one end at a time leads to
// its minimum. Zeros cost nothing wherever the ends are.
//
// Errors of steps have either sign, and sums average them out; clipped values are too small all together, and are the large ones, on
// which answers rest. With a weight of 1, a ResNet lost 2 dB by a few images; from 3 to 30 five nets were alike, and better than with 1
// or unclipped.
func leastSquares(h *histogram) graph.Interval {
	var ends [2]tail // 0: below zero
	ends[0], ends[1] = newTail(h.side(true)), newTail(h.side(false))
	at := [2]int{len(ends[0].cost) - 1, len(ends[1].cost) - 1}
	cost := func(i, j int) float64 {
		step := float64(i+j) / 255
		inside := ends[0].inside[i] + ends[1].inside[j]
		return float64(inside*float64(step*step))/12 + float64(clipWeight*(ends[0].cost[i]+ends[1].cost[j]))
	}
	for moved := true; moved; {
		moved = false
		for side := range 2 {
			best := at
			for i := range ends[side].cost {
				try := at
				try[side] = i
				if try != [2]int{} && cost(try[0], try[1]) < cost(best[0], best[1]) {
					best = try
				}
			}
			moved = moved || best != at
			at = best
		}
	}
	return h.interval(at[0], at[1])
}

const clipWeight = 10

// tail is what it costs to end a range at each bin's edge, on one side of zero, in units of a bin's width.
type tail struct {
	inside []float64 // [i]: values in the first i bins
	cost   []float64 // [i]: sum of the squared distances of the others from the edge i
}

func newTail(bins []uint64) tail {
	n := len(bins)
	t := tail{make([]float64, n+1), make([]float64, n+1)}
	for i, c := range bins {
		t.inside[i+1] = t.inside[i] + float64(c)
	}
	// From the outside inward: sums of (x - edge)^k, x taken at the middle of its bin. Moving the edge by one makes
	// (d + 1)^2 of d^2.
	var count, first, second float64
	for i := n - 1; i >= 0; i-- {
		second += 2*first + count
		first += count
		c := float64(bins[i])
		count, first, second = count+c, first+c/2, second+c/4
		t.cost[i] = second
	}
	return t
}

// leastDivergence chooses, among ranges that shrink both ends alike, the one whose 256 levels keep most of the
// distribution's information: least Kullback-Leibler divergence of the quantized histogram from the clipped one.
// Source: Migacz, "8-bit Inference with TensorRT", 2017, there for symmetric ranges.
func leastDivergence(h *histogram) graph.Interval {
	const steps, enoughValues = 128, 16
	below, above := h.side(true), h.side(false)
	cells := make([]uint64, 0, len(below)+len(above)) // from the lowest to the highest
	for i := len(below) - 1; i >= 0; i-- {
		cells = append(cells, below[i])
	}
	cells = append(cells, above...)
	if h.total() < enoughValues*uint64(len(cells)) {
		return h.seen // too few values to speak of a distribution
	}
	best, bestJ, bestI := math.Inf(1), len(below), len(above)
	for k := steps; k >= steps/4; k-- {
		j, i := (len(below)*k+steps-1)/steps, (len(above)*k+steps-1)/steps
		if d := divergence(cells, len(below)-j, len(below)+i); d < best {
			best, bestJ, bestI = d, j, i
		}
	}
	return h.interval(bestJ, bestI)
}

// divergence is KL(P || Q) in bits. P is the cells in [lo, hi), with those outside added to the nearest end. Q spreads
// what falls into each of 256 equal stretches of the cells inside evenly over those of its cells where P has anything.
func divergence(cells []uint64, lo, hi int) float64 {
	const levels = 256
	n := hi - lo
	if n == 0 {
		return math.Inf(1)
	}
	var before, after uint64
	for _, c := range cells[:lo] {
		before += c
	}
	for _, c := range cells[hi:] {
		after += c
	}
	var all, kept, sum float64 // of P, of Q, and of p log p - p log q
	for level := range min(levels, n) {
		from, to := lo+level*n/min(levels, n), lo+(level+1)*n/min(levels, n)
		var inQ, inP, cellsUsed, entropy float64
		for i := from; i < to; i++ {
			p := float64(cells[i])
			inQ += p
			if i == lo {
				p += float64(before)
			}
			if i == hi-1 {
				p += float64(after)
			}
			if p > 0 {
				inP, cellsUsed = inP+p, cellsUsed+1
				entropy += float64(p * log2(p))
			}
		}
		if inP == 0 {
			continue
		}
		if inQ == 0 {
			return math.Inf(1)
		}
		all, kept = all+inP, kept+inQ
		sum += entropy - float64(inP*log2(inQ/cellsUsed))
	}
	if all == 0 {
		return math.Inf(1)
	}
	return sum/all - log2(all) + log2(kept)
}

// log2 is the logarithm of x > 0, the same bits on every processor (math.Log has several implementations), to within
// 1e-12: x = m * 2^e with m near 1, and log m = 2 artanh((m-1)/(m+1)).
func log2(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	t := (m - 1) / (m + 1)
	square, sum := float64(t*t), 0.0
	for k := 15; k >= 1; k -= 2 {
		sum = float64(sum*square) + 1/float64(k)
	}
	return float64(e) + float64(2*math.Log2E*float64(t*sum))
}
