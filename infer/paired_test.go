package infer

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The counts of an example that the literature on paired shares works with (Fagerland, Lydersen and Laake 2014): 21 children, of whom 1
// had hyper-responsive airways before a transplant only, 7 after it only. By hand: 2/23 - 8/23 -+ 1.96 * sqrt((10/23 - (6/23)^2) / 23).
func TestPairedIntervalByHand(t *testing.T) {
	p := Paired{21, 1, 7}
	lo, hi := p.Interval()
	for _, c := range []struct {
		what      string
		got, want float64
	}{{"difference", p.Difference(), -6. / 21}, {"lower end", lo, -0.508}, {"upper end", hi, -0.013}} {
		if math.Abs(c.got-c.want) > 5e-4 {
			t.Errorf("%s: %.4f, want %.4f", c.what, c.got, c.want)
		}
	}
}

// Over many draws the interval holds the true difference about 95 times in 100.
func TestPairedIntervalHoldsTheTruth(t *testing.T) {
	const draws, n = 4000, 1000
	first, second := 0.02, 0.01 // shares of questions that only the one way has right
	rng := rand.New(rand.NewPCG(1, 1))
	held := 0
	for range draws {
		p := Paired{N: n}
		for range n {
			if u := rng.Float64(); u < first {
				p.First++
			} else if u < first+second {
				p.Second++
			}
		}
		if lo, hi := p.Interval(); lo <= first-second && first-second <= hi {
			held++
		}
	}
	if share := float64(held) / draws; share < 0.94 || share > 0.97 {
		t.Errorf("the interval holds the truth in %.1f %% of the draws, want about 95", 100*share)
	}
}

func TestPairCountsWhereOnlyOneIsRight(t *testing.T) {
	p := Pair([]bool{true, true, false, false, true}, []bool{true, false, true, false, false})
	if (p != Paired{5, 2, 1}) {
		t.Errorf("%+v", p)
	}
}

// Where one way has all right and the other none, the interval ends where shares do.
func TestPairedIntervalEnds(t *testing.T) {
	for _, p := range []Paired{{10, 10, 0}, {10, 0, 10}, {1, 0, 0}, {100, 100, 0}, {2, 1, 1}} {
		if lo, hi := p.Interval(); !(-1 <= lo && lo <= p.Difference() && p.Difference() <= hi && hi <= 1) {
			t.Errorf("%+v: %v to %v about %v", p, lo, hi, p.Difference())
		}
	}
}
