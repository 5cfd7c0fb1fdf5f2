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

func (o Mean) shape(in []Type) ([]int, error)   { return reduced(in[0].Shape, o.Axes, o.KeepDims) }
func (o Reduce) shape(in []Type) ([]int, error) { return reduced(in[0].Shape, o.Axes, o.KeepDims) }

// reduced is x without its axes, or with 1 in their place.
func reduced(x, axes []int, keep bool) (shape []int, err error) {
	for i, a := range axes {
		if a < 0 || a >= len(x) || i > 0 && a <= axes[i-1] {
			return nil, fmt.Errorf("axes %v of input %v: want ascending", axes, x)
		}
	}
	if len(axes) == 0 {
		return nil, fmt.Errorf("over no axis")
	}
	for i, d := range x {
		if !slices.Contains(axes, i) {
			shape = append(shape, d)
		} else if keep {
			shape = append(shape, 1)
		}
	}
	return shape, nil
}
