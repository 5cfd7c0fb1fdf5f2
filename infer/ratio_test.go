package infer

import (
	"math"
	"math/rand/v2"
	"testing"
)

// moody are rounds of calls around base, of a machine whose speed changes from round to round, for all sessions alike.
func moody(base float64, seed uint64) [][]float64 {
	mood, rng := rand.New(rand.NewPCG(9, 9)), rand.New(rand.NewPCG(seed, 1))
	rounds := make([][]float64, 10)
	for r := range rounds {
		speed := 1 + mood.Float64()
		for range 100 {
			rounds[r] = append(rounds[r], base*speed*(1+0.02*rng.NormFloat64()))
		}
	}
	return rounds
}

// The machine's moods, which double some rounds, cancel out; what is left is the ratio, with an interval that holds it.
func TestPairedRatio(t *testing.T) {
	got := PairedRatio(moody(30, 1), moody(20, 2))
	if got.P50 < 1.45 || got.P50 > 1.55 || got.CI[0] > 1.5 || got.CI[1] < 1.5 || got.CI[1]-got.CI[0] > 0.2 || got.CI[0] >= got.CI[1] {
		t.Errorf("three times ten against two: %+v", got)
	}
	if again := PairedRatio(moody(30, 1), moody(20, 2)); again != got {
		t.Errorf("the same times, another interval: %+v, %+v", got, again)
	}
	if same := PairedRatio(moody(20, 1), moody(20, 1)); same != (Ratio{1, [2]float64{1, 1}}) {
		t.Errorf("a session against itself: %+v", same)
	}
	if r := PairedRatio(moody(1, 1)[:1], moody(1, 2)); r != (Ratio{}) {
		t.Errorf("one round: %+v", r)
	}
}

// The interval of ten rounds, each with a mood of its own for either session, holds the truth as often as it says.
func TestRatioIntervalHoldsTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	session := func() [][]float64 {
		rs := make([][]float64, rounds)
		for r := range rs {
			mood := math.Exp(0.05 * rng.NormFloat64())
			for range 20 {
				rs[r] = append(rs[r], mood*(1+0.005*rng.NormFloat64()))
			}
		}
		return rs
	}
	const draws = 600
	held := 0
	for range draws {
		if r := PairedRatio(session(), session()); r.CI[0] <= 1 && 1 <= r.CI[1] {
			held++
		}
	}
	if held < draws*935/1000 || held > draws*985/1000 {
		t.Errorf("%d of %d intervals of 95 %% hold it", held, draws)
	}
}
