package interp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestExtremes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 70; n++ {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		if lo, hi := Extremes(x); lo != slices.Min(x) || hi != slices.Max(x) {
			t.Errorf("%d values: %v to %v, want %v to %v", n, lo, hi, slices.Min(x), slices.Max(x))
		}
		for _, odd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			y := slices.Clone(x)
			y[r.IntN(n)] = float32(odd)
			lo, hi := Extremes(y)
			if sum := float64(lo) - float64(hi); !math.IsNaN(sum) && !math.IsInf(sum, 0) {
				t.Errorf("%d values, one of them %v: %v to %v", n, odd, lo, hi)
			}
		}
	}
	lo, hi := Extremes([]float32{float32(math.Copysign(0, -1))})
	if math.Signbit(float64(lo)) || math.Signbit(float64(hi)) {
		t.Error("-0")
	}
}
