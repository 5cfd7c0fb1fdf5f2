package infer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Ratio is how many times as long one session's calls take as another's, by their medians.
type Ratio struct {
	P50 float64    `json:"p50"`
	CI  [2]float64 `json:"ci95"` // bootstrap interval
}

// resamples of the bootstrap: with ten rounds 17 are then left out at each end.
const resamples = 2000

// beyond is the share of resamples left out at each end of a 95 % interval from n rounds. Leaving out 2.5 % makes it too narrow where rounds are
// few: resamples spread as if n rounds had n degrees of freedom, not n-1, and Student's distribution is wider than the normal one (the expanded
// percentile interval; Hesterberg, "What Teachers Should Know About the Bootstrap", 2015).
func beyond(n int) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975)
	return distuv.UnitNormal.CDF(-t * math.Sqrt(float64(n)/float64(n-1)))
}

// PairedRatio compares two sessions that were measured in turns: a[r] and b[r] are the times of round r, each sorted or not. The
// interval comes of drawing rounds, not calls, with replacement: the calls of one round share the machine's mood, so a round
// is what can be taken for independent (the block bootstrap; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8). A
// pair of rounds is drawn together. The draw is seeded: the same times give the same interval. The zero Ratio stands for fewer than
// two rounds.
func PairedRatio(a, b [][]float64) Ratio {
	n := min(len(a), len(b))
	if n < 2 {
		return Ratio{}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pa, pb := pool(a[:n]), pool(b[:n])
	once := slices.Repeat([]int{1}, n)
	r := Ratio{P50: pa.median(once) / pb.median(once)}
	ratios := make([]float64, resamples)
	drawn := make([]int, n) // how often each round is
	for i := range ratios {
		clear(drawn)
		for range n {
			drawn[rng.IntN(n)]++
		}
		ratios[i] = pa.median(drawn) / pb.median(drawn)
	}
	slices.Sort(ratios)
	outside := int(resamples * beyond(n))
	r.CI = [2]float64{ratios[outside], ratios[resamples-1-outside]}
	return r
}

// pooled are the calls of all rounds in the order of their times, sorted once for all that is drawn of them.
type pooled struct {
	calls  []roundCall
	counts []int // of each round
}

type roundCall struct {
	took  float64
	round int
}

func pool(rounds [][]float64) pooled {
	var p pooled
	for r, calls := range rounds {
		p.counts = append(p.counts, len(calls))
		for _, took := range calls {
			p.calls = append(p.calls, roundCall{took, r})
		}
	}
	slices.SortFunc(p.calls, func(a, b roundCall) int { return cmp.Compare(a.took, b.took) })
	return p
}

// median is the Quantile of 50 percent of the calls when each round is there as often as drawn says.
func (p pooled) median(drawn []int) float64 {
	total := 0
	for r, times := range drawn {
		total += times * p.counts[r]
	}
	rank := nearestRank(total, 50)
	for _, c := range p.calls {
		if rank -= drawn[c.round]; rank <= 0 {
			return c.took
		}
	}
	return 0 // no calls
}
