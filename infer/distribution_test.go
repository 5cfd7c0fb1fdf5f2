package infer_test

import (
	"context"
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
