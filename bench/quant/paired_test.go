package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 5e-4 {
		t.Errorf("%s: %.4f, want %.4f", what, got, want)
	}
}

// The counts of an example that the literature on paired shares works with (Fagerland, Lydersen and Laake 2014): 21 children, of whom 1
// had hyper-responsive airways before a transplant only, 7 after it only. By hand: 2/23 - 8/23 -+ 1.96 * sqrt((10/23 - (6/23)^2) / 23).
func TestPairedIntervalByHand(t *testing.T) {
	p := paired{21, 1, 7}
	lo, hi := p.interval()
	near(t, "difference", p.difference(), -6./21)
	near(t, "lower end", lo, -0.508)
	near(t, "upper end", hi, -0.013)
	if p.word() != "behind" {
		t.Errorf("%s, want behind", p.word())
	}
}

func TestWordsFollowTheInterval(t *testing.T) {
	for _, c := range []struct {
		p    paired
		want string
	}{
		{paired{10000, 52, 47}, "0.05 [-0.15, 0.25], 52:47, equal"},
		{paired{10000, 60, 30}, "0.30 [0.11, 0.49], 60:30, ahead"},
		{paired{10000, 30, 60}, "-0.30 [-0.49, -0.11], 30:60, behind"},
		{paired{10000, 0, 0}, "0.00 [-0.03, 0.03], 0:0, equal"},
	} {
		if got := c.p.String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.p, got, c.want)
		}
	}
}

// Over many draws the interval holds the true difference about 95 times in 100.
func TestPairedIntervalHoldsTheTruth(t *testing.T) {
	const draws, n = 4000, 1000
	first, second := 0.02, 0.01 // shares of questions that only the one way has right
	state := uint64(1)
	uniform := func() float64 { // splitmix64
		state += 0x9e3779b97f4a7c15
		z := (state ^ state>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return float64((z^z>>31)>>11) / (1 << 53)
	}
	held := 0
	for range draws {
		p := paired{n: n}
		for range n {
			if u := uniform(); u < first {
				p.first++
			} else if u < first+second {
				p.second++
			}
		}
		if lo, hi := p.interval(); lo <= first-second && first-second <= hi {
			held++
		}
	}
	if share := float64(held) / draws; share < 0.94 || share > 0.97 {
		t.Errorf("the interval holds the truth in %.1f %% of the draws, want about 95", 100*share)
	}
}

// Ten images: float has 8 right; ours loses one of them and wins another, the peer loses two more.
func TestRowsPairOursWithEachPeer(t *testing.T) {
	labels := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	float := []int{0, 1, 2, 3, 4, 5, 6, 7, 0, 0}
	ours := []int{9, 1, 2, 3, 4, 5, 6, 7, 8, 0}
	peer := []int{9, 9, 9, 3, 4, 5, 6, 7, 0, 0}
	all := []made{{by: "mnet-edge", path: "o"}, {by: "LiteRT", path: "p"}}
	var scores []score
	scores = append(scores, score{Path: "f", Kernels: "XNNPACK", Answers: float})
	for _, kernels := range []string{"XNNPACK", "reference"} {
		scores = append(scores, score{Path: "o", Kernels: kernels, Answers: ours}, score{Path: "p", Kernels: kernels, Answers: peer})
	}
	table := rows(scores, all, labels)
	if len(table) != 5 {
		t.Fatalf("%d rows, want 5: %v", len(table), table)
	}
	for _, row := range table {
		if len(row)+1 != len(columns) {
			t.Errorf("%d columns in %v, want %d", len(row)+1, row, len(columns))
		}
	}
	if o := table[1]; o[2] != "80.00 %" || !strings.HasPrefix(o[3], "0.00 [") || o[4] != "" || o[5] != "80.00 %" {
		t.Errorf("ours: %v", o)
	}
	for _, p := range [][]string{table[2], table[4]} {
		if p[0] != "LiteRT" || p[2] != "50.00 %" || !strings.HasPrefix(p[3], "30.00 [") || !strings.Contains(p[4], " 3:0, ") || !strings.Contains(p[6], " 2:1, ") {
			t.Errorf("the peer: %v", p)
		}
	}
}

func TestPairCountsWhereOnlyOneIsRight(t *testing.T) {
	p := pair([]bool{true, true, false, false, true}, []bool{true, false, true, false, false})
	if (p != paired{5, 2, 1}) {
		t.Errorf("%+v", p)
	}
	if s := equal([]int{1, 2, 3}, []int{1, 0, 3}); !slices.Equal(s, []bool{true, false, true}) || math.Abs(share(s)-2./3) > 1e-12 {
		t.Errorf("%v", s)
	}
}
