package convert

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mnet-edge/graph"
)

// However values are spread over histograms, and in whatever order those are merged, the counts are the same.
func TestHistogramMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Custom(func(t *rapid.T) float32 {
			if rapid.IntRange(0, 3).Draw(t, "zero") == 0 {
				return 0
			}
			return float32(math.Ldexp(rapid.Float64Range(-1, 1).Draw(t, "fraction"), rapid.IntRange(-140, 120).Draw(t, "exponent")))
		})
		values := rapid.SliceOfN(value, 1, 60).Draw(t, "values")
		whole := newHistogram()
		whole.observe(values, 0, 1)
		parts := []*histogram{newHistogram(), newHistogram(), newHistogram()}
		for _, x := range values {
			parts[rapid.IntRange(0, 2).Draw(t, "part")].observe([]float32{x}, 0, 1)
		}
		order := rapid.Permutation([]int{0, 1, 2}).Draw(t, "order")
		merged := newHistogram()
		for _, i := range order {
			merged.merge(parts[i])
		}
		if merged.seen != whole.seen || merged.total() != whole.total() || merged.exp != whole.exp ||
			!slices.Equal(merged.side(true), whole.side(true)) || !slices.Equal(merged.side(false), whole.side(false)) {
			t.Fatalf("%v: parts %+v, whole %+v", values, merged.seen, whole.seen)
		}
		if want := (graph.Interval{Min: slices.Min(values), Max: slices.Max(values)}); whole.seen != want {
			t.Fatalf("seen %v, want %v", whole.seen, want)
		}
		if int(whole.total()) != len(values) {
			t.Fatalf("%d of %d values counted", whole.total(), len(values))
		}
	})
}

// Where each value is counted.
func TestHistogramBins(t *testing.T) {
	h := newHistogram()
	h.observe([]float32{0, float32(math.Copysign(0, -1)), 1, 1023.9, -3, -2.5, 0.01}, 0, 1)
	if w := h.width(); w != 0.5 { // 2048 bins reach 1024
		t.Fatalf("bins are %v wide", w)
	}
	above, below := h.side(false), h.side(true)
	for _, c := range []struct {
		bins []uint64
		i    int
		want uint64
	}{{above, 0, 1}, {above, 2, 1}, {above, 2047, 1}, {below, 5, 1}, {below, 6, 1}} {
		if c.bins[c.i] != c.want {
			t.Errorf("bin %d holds %d, want %d", c.i, c.bins[c.i], c.want)
		}
	}
	if h.total() != 7 || len(below) != 7 || len(above) != 2048 {
		t.Errorf("%d values, %d bins below, %d above", h.total(), len(below), len(above))
	}
}

// A value that is no number reaches Seen, for calibrate to refuse.
func TestHistogramNotFinite(t *testing.T) {
	for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		h := newHistogram()
		h.observe([]float32{1, x, -1}, 0, 1)
		if finite([]float32{h.seen.Min, h.seen.Max}) == nil {
			t.Errorf("%v: seen %v", x, h.seen)
		}
	}
}

// sampled are n values of a distribution, and their histogram.
func sampled(n int, draw func(*rand.Rand) float64) ([]float32, *histogram) {
	rng := rand.New(rand.NewPCG(5, 6))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(draw(rng))
	}
	h := newHistogram()
	h.observe(values, 0, 1)
	return values, h
}

// squareError is what quantizing the values to 256 levels over [lo, hi], which holds 0, costs, and clipping by its weight.
func squareError(values []float32, lo, hi float32) (sum float64) {
	step := float64(hi-lo) / 255
	for _, x := range values {
		q := math.Round(float64(x)/step) * step
		d := float64(x) - min(max(q, float64(lo)), float64(hi))
		if x < lo || x > hi {
			d *= math.Sqrt(clipWeight)
		}
		sum += d * d
	}
	return sum
}

// The range that mse chooses is, by trying, within a few percent of the best there is, for a normal distribution, a
// long-tailed one and one cut off by ReLU; no observer leaves what was seen, and each holds the bulk.
func TestObservers(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) float64{
		"normal":      (*rand.Rand).NormFloat64,
		"exponential": (*rand.Rand).ExpFloat64,
		"relu":        func(r *rand.Rand) float64 { return max(0, r.NormFloat64()) },
		"uniform":     func(r *rand.Rand) float64 { return r.Float64() - 0.25 },
	} {
		values, h := sampled(50000, draw)
		least := math.Inf(1)
		for k := 20; k <= 100; k++ {
			f := float32(k) / 100
			least = min(least, squareError(values, f*min(h.seen.Min, 0), f*h.seen.Max))
		}
		for _, o := range observers {
			r := o.choose(h)
			inside := 0
			for _, x := range values {
				if x >= r.Min && x <= r.Max {
					inside++
				}
			}
			if r.Min < h.seen.Min || r.Max > h.seen.Max || inside < len(values)*99/100 {
				t.Errorf("%s, %s: %v of %v, holding %d of %d", name, o.name, r, h.seen, inside, len(values))
			}
			if e := squareError(values, min(r.Min, 0), r.Max); o.name == "mse" && e > 1.05*least {
				t.Errorf("%s: mse chooses %v with error %v, the best is %v", name, r, e, least)
			}
		}
	}
}

// One outlier in 20,000: minmax keeps it, percentile leaves it out.
func TestPercentile(t *testing.T) {
	values, _ := sampled(20000, (*rand.Rand).Float64)
	values[7] = 50
	h := newHistogram()
	h.observe(values, 0, 1)
	if r := observerNamed("minmax").choose(h); r.Max != 50 {
		t.Errorf("minmax ends at %v", r.Max)
	}
	if r := percentile(h); r.Max > 1.1 || r.Max < 0.99 {
		t.Errorf("percentile ends at %v", r.Max)
	}
}

// Values that lie in one bin are held, by every observer: clipping them to the bin's edge would save half a step.
func TestObserversOneBin(t *testing.T) {
	for _, x := range []float32{7.001, -7.001, 1.9995e-6} {
		h := newHistogram()
		for range 3 {
			h.observe([]float32{x}, 0, 1)
		}
		for _, o := range observers {
			if r := o.choose(h); !(r.Min <= x && x <= r.Max) {
				t.Errorf("%s of %v: %+v", o.name, x, r)
			}
		}
	}
}

// Histograms of nothing, of zeros, of one value: a range, and no division by zero.
func TestObserversDegenerate(t *testing.T) {
	for _, values := range [][]float32{{0, 0}, {3}, {-3}, {1e-30}, {math.MaxFloat32, -math.MaxFloat32}} {
		h := newHistogram()
		h.observe(values, 0, 1)
		for _, o := range observers {
			r := o.choose(h)
			if finite([]float32{r.Min, r.Max}) != nil || r.Min > r.Max || r.Min < h.seen.Min || r.Max > h.seen.Max {
				t.Errorf("%s of %v: %v", o.name, values, r)
			}
		}
	}
}

func TestLog2(t *testing.T) {
	for _, x := range []float64{1, 2, 0.5, 3, 1e-9, 12345.678, 1 << 40, math.Sqrt2, 0.99999} {
		if got := log2(x); math.Abs(got-math.Log2(x)) > 1e-12*(1+math.Abs(got)) {
			t.Errorf("log2(%v) = %v, want %v", x, got, math.Log2(x))
		}
	}
}
