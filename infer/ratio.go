package infer

import (
	"math/rand/v2"
	"slices"
)

// Ratio is how many times as long one session's calls take as another's, by their medians.
type Ratio struct {
	P50 float64    `json:"p50"`
	CI  [2]float64 `json:"ci95"` // bootstrap interval
}

// resamples of the bootstrap: the ends of a 95 % interval are then 25th from their side, steady to about a tenth of its width.
const resamples = 1000

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
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	r := Ratio{P50: pooledMedian(a, all) / pooledMedian(b, all)}
	ratios := make([]float64, resamples)
	drawn := make([]int, n)
	for i := range ratios {
		for k := range drawn {
			drawn[k] = rng.IntN(n)
		}
		ratios[i] = pooledMedian(a, drawn) / pooledMedian(b, drawn)
	}
	slices.Sort(ratios)
	r.CI = [2]float64{ratios[resamples*25/1000], ratios[resamples*975/1000-1]}
	return r
}

// pooledMedian is the median of the calls of the rounds drawn, all together.
func pooledMedian(rounds [][]float64, drawn []int) float64 {
	var all []float64
	for _, r := range drawn {
		all = append(all, rounds[r]...)
	}
	slices.Sort(all)
	return quantile(all, 50)
}
