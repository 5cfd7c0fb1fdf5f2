package graph

import (
	"fmt"
	"slices"
)

// ReduceFunc is what a Reduce makes of the elements that meet.
type ReduceFunc uint8

const (
	Sum     ReduceFunc = iota // float32 alone
	Largest                   // of the elements
	Smallest
)

var reduceNames = [...]string{Sum: "sum", Largest: "reduce_max", Smallest: "reduce_min"}

type (
	// Mean averages over Axes (ascending), keeping them as 1 where KeepDims.
	Mean struct {
		Axes     []int
		KeepDims bool
	}
	// Reduce is Fn over Axes, as Mean has them.
	Reduce struct {
		Fn       ReduceFunc
		Axes     []int
		KeepDims bool
	}
)

func (Mean) Name() string     { return "mean" }
func (o Reduce) Name() string { return reduceNames[o.Fn] }

func (o Mean) attrs() string   { return fmt.Sprintf(" axes=%v", o.Axes) + keep(o.KeepDims) }
func (o Reduce) attrs() string { return fmt.Sprintf(" axes=%v", o.Axes) + keep(o.KeepDims) }

func (o Mean) infer(in []Type) (Type, error)   { return reduced(in, o.Axes, o.KeepDims) }
func (o Reduce) infer(in []Type) (Type, error) { return reduced(in, o.Axes, o.KeepDims) }

// reduced is the type of the one input without its axes, or with 1 in their place.
func reduced(in []Type, axes []int, keep bool) (Type, error) {
	if err := arity(in, 1, 1); err != nil {
		return Type{}, err
	}
	x := in[0]
	for i, a := range axes {
		if a < 0 || a >= len(x.Shape) || i > 0 && a <= axes[i-1] {
			return Type{}, fmt.Errorf("axes %v of input %v: want ascending", axes, x.Shape)
		}
	}
	if len(axes) == 0 {
		return Type{}, fmt.Errorf("over no axis")
	}
	var shape []int
	for i, d := range x.Shape {
		if !slices.Contains(axes, i) {
			shape = append(shape, d)
		} else if keep {
			shape = append(shape, 1)
		}
	}
	return Type{DType: x.DType, Shape: shape}, nil
}
