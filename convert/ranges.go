package convert

import (
	"context"
	"fmt"
	"iter"
	"math"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/quant"
)

// LayerRanges is what the values of one layer with weights spread over, channel by channel: where one channel's range is
// a small part of what the layer's integers span, that channel has few of them.
type LayerRanges struct {
	Name    string           `json:"name"`
	Weights []graph.Interval `json:"weights"` // of each output channel, real values of the integers
	Outputs []graph.Interval `json:"outputs"` // of each output channel, over the samples
	Span    graph.Interval   `json:"span"`    // what the output's integers can hold; of a float output, what it took
}

// Ranges runs a converted network over samples, inputs as Run takes them, and gives the ranges of its layers with weights.
// The error is ErrCalibration, ErrNetwork, ctx's, or one of graph/interp for a graph that it cannot run.
func Ranges(ctx context.Context, g *graph.Graph, samples iter.Seq[[]float32]) ([]LayerRanges, error) {
	var layers []LayerRanges
	at := map[*graph.Value]int{}
	for _, n := range g.Nodes {
		if !weighted(n) {
			continue
		}
		at[n.Out] = len(layers)
		axis, _ := n.OutputAxis()
		weights := intervals(n.In[1].Type.Shape[axis])
		w := realsOf(n.In[1].Type, n.In[1].Data)
		forChannels(n.In[1].Type.Shape, axis, func(channel, i int) { widen(&weights[channel], w(i, channel)) })
		l := LayerRanges{Name: n.Out.Name, Weights: weights, Outputs: intervals(lastDim(n.Out))}
		if t := n.Out.Type; t.Quant != nil {
			l.Span = spanOf(t)
		}
		layers = append(layers, l)
	}
	if err := oneInput(g); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	m, err := interp.New(g, interp.Options{Rounding: quant.Float32, Tap: func(v *graph.Value, data any) {
		if i, ok := at[v]; ok {
			out := layers[i].Outputs
			x := realsOf(v.Type, data)
			for k := range v.Type.Elements() {
				widen(&out[k%len(out)], x(k, 0))
			}
		}
	}})
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	seen := 0
	for x := range samples {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := fits(g, x); err != nil {
			return nil, fmt.Errorf("convert: %w: sample %d: %w", ErrCalibration, seen, err)
		}
		if _, err := m.Run(asInput(g.Inputs[0].Type, x)); err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		seen++
	}
	if seen == 0 {
		return nil, fmt.Errorf("convert: %w: no samples", ErrCalibration)
	}
	for i, l := range layers {
		if l.Span == (graph.Interval{}) {
			for _, c := range l.Outputs {
				layers[i].Span = graph.Interval{Min: min(layers[i].Span.Min, c.Min), Max: max(layers[i].Span.Max, c.Max)}
			}
		}
	}
	return layers, nil
}

// intervals are n of nothing.
func intervals(n int) []graph.Interval {
	all := make([]graph.Interval, n)
	for i := range all {
		all[i] = graph.Interval{Min: float32(math.Inf(1)), Max: float32(math.Inf(-1))}
	}
	return all
}

func widen(r *graph.Interval, x float32) { r.Min, r.Max = min(r.Min, x), max(r.Max, x) }

// realsOf gives the real value of element i of a tensor, which belongs to a channel of its quantization.
func realsOf(t graph.Type, data any) func(i, channel int) float32 {
	real := func(q int32, channel int) float32 {
		scale, zero := t.Quant.At(channel)
		return quant.Dequantize(q, scale, zero)
	}
	switch d := data.(type) {
	case []float32:
		return func(i, _ int) float32 { return d[i] }
	case []int8:
		return func(i, c int) float32 { return real(int32(d[i]), c) }
	case []uint8:
		return func(i, c int) float32 { return real(int32(d[i]), c) }
	case []int16:
		return func(i, c int) float32 { return real(int32(d[i]), c) }
	}
	return func(int, int) float32 { return 0 }
}

// asInput is a sample as an input of type t takes it.
func asInput(t graph.Type, x []float32) any {
	if t.Quant == nil {
		return x
	}
	scale, zero := t.Quant.At(0)
	lo, hi := t.DType.Limits()
	at := func(i int) int32 { return quant.Quantize(x[i], scale, zero, lo, hi) }
	switch t.DType {
	case graph.UInt8:
		return convertEach(x, func(i int) uint8 { return uint8(at(i)) })
	case graph.Int16:
		return convertEach(x, func(i int) int16 { return int16(at(i)) })
	}
	return convertEach(x, func(i int) int8 { return int8(at(i)) })
}

func convertEach[T any](x []float32, f func(i int) T) []T {
	out := make([]T, len(x))
	for i := range x {
		out[i] = f(i)
	}
	return out
}
