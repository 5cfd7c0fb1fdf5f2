package tflite

import (
	"fmt"

	"mnet-edge/graph"
)

// Where a converter does not know the batch, it writes a reshape's new shape as operators that compute it: SHAPE, of
// which a STRIDED_SLICE takes the batch, which a PACK joins with the other dimensions. In a file every shape is known,
// and so are their results: the decoder makes them constants, of which only the reshape's attribute remains.

// shapers compute an operator's result from its inputs, of which SHAPE's alone need not be constant. Those that networks
// have for activations too are shapers where they give int32, which no activation is.
var shapers = map[int32]func(c *call) ([]int, error){
	opShape:        shapeOperator,
	opStridedSlice: sliceOperator,
	opPack:         packOperator,
}

// fold decodes an operator of shapers: its result, of the type out, becomes a constant.
func (c *call) fold(shaper func(c *call) ([]int, error), out *graph.Value) error {
	data, err := shaper(c)
	if err != nil {
		return err
	}
	if t := out.Type; t.DType != graph.Int32 || t.Elements() != len(data) || t.Quant != nil {
		return fmt.Errorf("%d numbers for %v: %w", len(data), t, ErrUnsupported)
	}
	out.Data = int32s(data)
	return nil
}

func shapeOperator(c *call) ([]int, error) {
	if len(c.in) != 1 {
		return nil, fmt.Errorf("%d inputs: want 1", len(c.in))
	}
	return c.in[0].Type.Shape, nil
}

// sliceOperator takes one element of a vector, or a stretch.
func sliceOperator(c *call) ([]int, error) {
	if len(c.in) != 4 {
		return nil, fmt.Errorf("%d inputs: want 4", len(c.in))
	}
	var args [4][]int // vector, begin, end, step
	for i, v := range c.in {
		var err error
		if args[i], err = numbers(v); err != nil {
			return nil, err
		}
	}
	x := args[0]
	if len(args[1]) != 1 || len(args[2]) != 1 || len(args[3]) != 1 || args[3][0] != 1 || len(c.in[0].Type.Shape) != 1 ||
		c.options.int32(sliceEllipsis) != 0 || c.options.int32(sliceNewAxis) != 0 {
		return nil, fmt.Errorf("not of a vector's neighbours: %w", ErrUnsupported)
	}
	at := func(i, missing int, masked bool) int {
		switch {
		case masked:
			i = missing
		case i < 0:
			i += len(x)
		}
		return min(max(i, 0), len(x))
	}
	begin := at(args[1][0], 0, c.options.int32(sliceBegin) != 0)
	end := at(args[2][0], len(x), c.options.int32(sliceEnd) != 0)
	if c.options.int32(sliceShrink) != 0 {
		end = min(begin+1, len(x))
	}
	return x[begin:max(begin, end)], nil
}

// packOperator joins scalars.
func packOperator(c *call) ([]int, error) {
	var all []int
	for _, v := range c.in {
		s, err := numbers(v)
		if err != nil {
			return nil, err
		}
		if len(v.Type.Shape) != 0 {
			return nil, fmt.Errorf("of shape %v: %w", v.Type.Shape, ErrUnsupported)
		}
		all = append(all, s...)
	}
	return all, nil
}
