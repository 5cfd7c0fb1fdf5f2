package convert

import (
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/quant"
)

// works keeps what the trials of a conversion and the conversion itself would else do over and over: most recipes leave a
// layer's weights, and their scales, as another recipe had them.
type works struct {
	packs     interp.Packs // of everything that runs here
	rounds    map[*float32][]rounded
	equalized map[Choice]*graph.Graph
	seen      map[Choice]*observation // of the network so equalized, over all samples
}

func newWorks() *works {
	return &works{rounds: map[*float32][]rounded{}, equalized: map[Choice]*graph.Graph{}, seen: map[Choice]*observation{}}
}

// rounded is a weight as integers.
type rounded struct {
	dtype    graph.DType
	scales   *quant.Params
	integers []int8
}

// round is the weights, which are finite, of the scales q, as integers of type d.
func (w *works) round(c *conversion, weights []float32, shape []int, axis int, d graph.DType, q *quant.Params) ([]int8, error) {
	for _, r := range w.rounds[&weights[0]] {
		if r.dtype == d && r.scales.Axis == q.Axis && slices.Equal(r.scales.Scale, q.Scale) {
			return r.integers, nil
		}
	}
	first, step, taps := channelLayout(shape, axis)
	integers := make([]int8, len(weights))
	err := parallel(c.ctx, shape[axis], func(o int) {
		s, _ := q.At(o)
		if step == 1 {
			roundTaps(integers[o*first:][:taps], weights[o*first:][:taps], s, weightMost(d))
			return
		}
		column, to := make([]float32, taps), make([]int8, taps)
		for k := range column {
			column[k] = weights[o*first+k*step]
		}
		roundTaps(to, column, s, weightMost(d))
		for k, i := range to {
			integers[o*first+k*step] = i
		}
	})
	if err != nil {
		return nil, err
	}
	w.rounds[&weights[0]] = append(w.rounds[&weights[0]], rounded{d, q, integers})
	return integers, nil
}

// roundTaps makes of the weights x of one channel integers of scale s, within ±most, as quant.Quantize does. They are
// finite, and half a step and as many integers as they are away from 0 fit a float64, in which a half is added exactly.
func roundTaps(to []int8, x []float32, s float32, most int32) {
	for i, w := range x[:len(to)] {
		y := float64(float32(w / s))
		to[i] = int8(min(max(int32(y+math.Copysign(0.5, y)), -most), most))
	}
}

// largestOf is the largest magnitude among n weights, each step from the one before.
func largestOf(weights []float32, step, n int) (largest float32) {
	if step == 1 {
		lo, hi := interp.Extremes(weights[:n])
		return max(-lo, hi)
	}
	for k := range n {
		largest = max(largest, abs(weights[k*step]))
	}
	return largest
}
