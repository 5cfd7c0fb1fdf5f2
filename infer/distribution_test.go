package infer_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

// The distribution is the latency's own quantiles, with all between them.
func TestPercentiles(t *testing.T) {
	b := small(t, infertest.Int8, func(*graph.Graph) {})
	s, err := infer.NewReference(quant.Double).Open(b, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := infer.Measure(context.Background(), s, make([]byte, 16*16*3), infer.MeasureOptions{NumRuns: 40})
	if err != nil {
		t.Fatal(err)
	}
	p := l.Percentiles()
	if len(p) != 101 || !slices.IsSorted(p) || p[0] != l.Min || p[50] != l.P50 || p[99] != l.P99 || p[100] != l.Max {
		t.Errorf("percentiles %v of %+v", p, l)
	}
	if (infer.Latency{}).Percentiles() != nil {
		t.Error("percentiles of nothing")
	}
}

func reciprocal(a, b float64) bool { return math.Abs(a*b-1) < 1e-12 }

// Sessions of the same model take as long as each other: the interval of their ratio is around it, and inverse for the
// inverse. Latencies that were not measured together have none.
func TestRatioOfLatencies(t *testing.T) {
	b := small(t, infertest.Int8, func(*graph.Graph) {})
	var sessions []infer.Session
	for range 2 {
		s, err := infer.NewReference(quant.Double).Open(b, infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	in := make([]byte, 16*16*3)
	ls, err := infer.MeasureInterleaved(context.Background(), sessions, [][]byte{in, in}, infer.MeasureOptions{NumRuns: 60})
	if err != nil {
		t.Fatal(err)
	}
	r := ls[1].Ratio(ls[0])
	if r.P50 != ls[0].P50/ls[1].P50 || !(r.CI[0] <= r.P50 && r.P50 <= r.CI[1]) {
		t.Errorf("%+v of medians %v and %v", r, ls[0].P50, ls[1].P50)
	}
	if inverse := ls[0].Ratio(ls[1]); !reciprocal(inverse.P50, r.P50) || !reciprocal(inverse.CI[0], r.CI[1]) || !reciprocal(inverse.CI[1], r.CI[0]) {
		t.Errorf("%+v, and the other way round %+v", r, inverse)
	}
	alone, err := infer.Measure(context.Background(), sessions[0], in, infer.MeasureOptions{NumRuns: 5})
	if err != nil {
		t.Fatal(err)
	}
	if got := alone.Ratio(ls[0]); got != (infer.Ratio{}) {
		t.Errorf("%+v of latencies that were not measured together", got)
	}
}
