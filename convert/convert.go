package convert

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"mnet-edge/graph"
)

// Scheme is the number format of the converted model.
type Scheme string

const (
	Float32 Scheme = "float32" // weights and activations stay float32
	Int8    Scheme = "int8"    // int8 weights and activations, int32 biases, integer arithmetic throughout
)

// ErrCalibration marks calibration data that can't be used; the error says why.
var ErrCalibration = errors.New("calibration refused")

// Recipe is what determines a conversion, apart from the network and the samples. The zero value of a field means its
// default.
type Recipe struct {
	Scheme   Scheme `json:"scheme"`             // default Int8
	FloatIO  bool   `json:"float_io"`           // int8 inside, float32 input and output
	Observer string `json:"observer,omitempty"` // a name of Observers; default "minmax"
}

// Calibration tells what the ranges rest on.
type Calibration struct {
	Observer string `json:"observer"`
	Samples  int    `json:"samples"`
}

// Result is a converted network with what was found on the way.
type Result struct {
	Graph       *graph.Graph
	Calibration *Calibration // nil unless activations were quantized
	Layers      []LayerReport
}

// LayerReport describes how one layer with weights was quantized.
type LayerReport struct {
	Name         string  `json:"name"`
	Op           string  `json:"op"`
	WeightSNR    float64 `json:"weight_snr_db"`      // signal to quantization noise of the weights, in dB
	DeadChannels int     `json:"dead_channels"`      // channels whose weights all quantize to zero
	BiasHeadroom float64 `json:"bias_headroom_bits"` // bits left between the largest bias and int32's limit
	OutputMin    float32 `json:"output_min"`         // real range of the output, after the activation
	OutputMax    float32 `json:"output_max"`
}

// Run converts g, a graph at level Float or Folded, in place, as the recipe says. samples are calibration inputs: for
// each, the values of the graph's one input, row-major; it may be nil for Scheme Float32. On an error the graph is of no
// more use. observe, if not nil, sees the graph after each pass that ran.
func Run(ctx context.Context, g *graph.Graph, r Recipe, samples iter.Seq[[]float32], observe func(pass string, g *graph.Graph)) (*Result, error) {
	if r.Scheme == "" {
		r.Scheme = Int8
	}
	if r.Observer == "" {
		r.Observer = "minmax"
	}
	if r.Scheme != Int8 && r.Scheme != Float32 {
		return nil, fmt.Errorf("convert: unknown scheme %q", r.Scheme)
	}
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	c := &conversion{ctx: ctx, g: g, recipe: r, samples: samples}
	for _, p := range passes {
		if p.wanted != nil && !p.wanted(r) || g.Level > p.from {
			continue
		}
		if g.Level != p.from {
			return nil, fmt.Errorf("convert: pass %s takes level %v, the graph is at %v", p.name, p.from, g.Level)
		}
		if err := p.run(c); err != nil {
			return nil, fmt.Errorf("convert: %s: %w", p.name, err)
		}
		g.Level = p.to
		if err := g.Check(); err != nil {
			return nil, fmt.Errorf("convert: after %s: %w", p.name, err)
		}
		if observe != nil {
			observe(p.name, g)
		}
	}
	return &Result{Graph: g, Calibration: c.calibration, Layers: c.layers}, nil
}

// conversion is the state that passes share.
type conversion struct {
	ctx         context.Context
	g           *graph.Graph
	recipe      Recipe
	samples     iter.Seq[[]float32]
	calibration *Calibration
	layers      []LayerReport
}
