// Package graphtest has what tests build graphs of: types, constants, and layers of integer weights with the bias that goes with them. The
// numbers are the caller's, asked for in order, so that a test that draws them has the same ones in every run.
package graphtest

import (
	"cmp"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// Floats is the type of float32 tensors of a shape.
func Floats(shape ...int) graph.Type { return graph.Type{DType: graph.Float32, Shape: shape} }

// Ints is the type of integer tensors with one scale.
func Ints(d graph.DType, scale float32, zero int32, shape ...int) graph.Type {
	return graph.Type{DType: d, Shape: shape, Quant: quant.PerTensor(scale, zero)}
}

// As gives a value one scale.
func As(v *graph.Value, scale float32, zero int32) *graph.Value {
	v.Type.Quant = quant.PerTensor(scale, zero)
	return v
}

// Const is a float32 constant of the elements that f gives, zeros where it is nil.
func Const(name string, f func(i int) float32, shape ...int) *graph.Value {
	t := Floats(shape...)
	return graph.Const(name, t, fill(t.Elements(), f))
}

// Layer is an operator with integer weights.
type Layer struct {
	Op     graph.Op
	Shape  []int             // the weights'
	Type   graph.DType       // the weights', int8 where it is none
	Scale  []float32         // one, or one for each channel
	Weight func(i int) int8  // zeros where it is nil
	Bias   func(c int) int32 // the same, asked after all weights
}

func (l Layer) axis() int {
	axis, _ := graph.OutputAxis(l.Op)
	return axis
}

// Channels is how many results the layer has at a pixel.
func (l Layer) Channels() int { return l.Shape[l.axis()] }

// Apply adds the layer to x's graph. Its result has no quantization yet; beside a float32 x the bias is zeros.
func (l Layer) Apply(g *graph.Graph, name string, x *graph.Value) *graph.Value {
	w := graph.Type{DType: cmp.Or(l.Type, graph.Int8), Shape: l.Shape, Quant: quant.PerTensor(l.Scale[0], 0)}
	if len(l.Scale) > 1 {
		w.Quant = quant.PerChannel(l.Scale, l.axis())
	}
	weights := graph.Const(name+"/weight", w, fill(w.Elements(), l.Weight))
	if x.Type.DType == graph.Float32 {
		return g.Apply(name, l.Op, x, weights, Const(name+"/bias", nil, l.Channels()))
	}
	b := graph.Type{DType: graph.BiasType(x.Type.DType), Shape: []int{l.Channels()}, Quant: graph.BiasQuant(x.Type.Quant, w.Quant)}
	var bias any = fill(l.Channels(), l.Bias)
	if b.DType == graph.Int64 {
		bias = fill(l.Channels(), func(c int) int64 { return int64(bias.([]int32)[c]) })
	}
	return g.Apply(name, l.Op, x, weights, graph.Const(name+"/bias", b, bias))
}

func fill[T any](n int, f func(i int) T) []T {
	s := make([]T, n)
	for i := range s {
		if f != nil {
			s[i] = f(i)
		}
	}
	return s
}
