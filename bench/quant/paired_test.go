package main

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mnet-edge/infer"
)

func TestWordsFollowTheInterval(t *testing.T) {
	for _, c := range []struct {
		p    paired
		want string
	}{
		{paired{infer.Paired{N: 10000, First: 52, Second: 47}}, "0.05 [-0.15, 0.25], 52:47, equal"},
		{paired{infer.Paired{N: 10000, First: 60, Second: 30}}, "0.30 [0.11, 0.49], 60:30, ahead"},
		{paired{infer.Paired{N: 10000, First: 30, Second: 60}}, "-0.30 [-0.49, -0.11], 30:60, behind"},
		{paired{infer.Paired{N: 10000, First: 0, Second: 0}}, "0.00 [-0.03, 0.03], 0:0, equal"},
	} {
		if got := c.p.String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.p, got, c.want)
		}
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

func TestEqualAndShare(t *testing.T) {
	if s := equal([]int{1, 2, 3}, []int{1, 0, 3}); !slices.Equal(s, []bool{true, false, true}) || math.Abs(share(s)-2./3) > 1e-12 {
		t.Errorf("%v", s)
	}
}
