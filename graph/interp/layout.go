package interp

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The operators that move or convert elements one by one.

// reduction is, for each element of a tensor, the place in the result of the reduction over axes that it goes to, and
// how many elements meet in one place.
func reduction(shape, axes []int) (to []int, count int) {
	kept := slices.Clone(shape)
	count = 1
	for _, a := range axes {
		kept[a] = 1
		count *= shape[a]
	}
	step := graph.Strides(kept)
	for _, a := range axes {
		step[a] = 0
	}
	return graph.Offsets(shape, step, 0), count
}

// neighbours is the number of neighbouring elements that go to as many neighbours of the result: those of the dimensions
// behind the last axis.
func neighbours(shape, axes []int) int {
	n := 1
	for _, d := range shape[axes[len(axes)-1]+1:] {
		n *= d
	}
	return n
}

// pad returns what copies x into the middle of the result, whose border New fills once and for all.
func (c *compiler) pad(n *graph.Node, op graph.Pad) (func(), error) {
	switch x := c.data[n.In[0]].(type) {
	case []float32:
		return pad(x, c.data[n.Out].([]float32), 0, n, op), nil
	case []int8:
		_, zero := n.Out.Type.Quant.At(0)
		return pad(x, c.data[n.Out].([]int8), int8(zero), n, op), nil
	case []int16:
		return pad(x, c.data[n.Out].([]int16), 0, n, op), nil
	}
	return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
}

func pad[T any](x, out []T, zero T, n *graph.Node, op graph.Pad) func() {
	for i := range out {
		out[i] = zero
	}
	// Rows along the last axis stay whole; rows holds where each begins in the result.
	shape, step, row, start := n.In[0].Type.Shape, graph.Strides(n.Out.Type.Shape), 1, 0
	for i, b := range op.Before {
		start += b * step[i]
	}
	if last := len(shape) - 1; last >= 0 {
		row, shape = shape[last], shape[:last]
	}
	rows := graph.Offsets(shape, step, start)
	return func() {
		for i, at := range rows {
			copy(out[at:at+row], x[i*row:])
		}
	}
}

// integer is an element type of an activation that carries a quantization.
type integer interface{ int8 | uint8 | int16 }

// quantize returns what converts float32 or another quantization to the result's.
func (c *compiler) quantize(n *graph.Node) (func(), error) {
	switch out := c.data[n.Out].(type) {
	case []int8:
		return quantizeTo(c, n, out)
	case []uint8:
		return quantizeTo(c, n, out)
	case []int16:
		return quantizeTo(c, n, out)
	}
	return nil, fmt.Errorf("no kernel to %v", n.Out.Type.DType)
}

func quantizeTo[T integer](c *compiler, n *graph.Node, out []T) (func(), error) {
	if err := perTensor(n.Out); err != nil {
		return nil, err
	}
	switch x := c.data[n.In[0]].(type) {
	case []float32:
		lo, hi := n.Out.Type.DType.Limits()
		q := quantizer(c.rounding(n), n.Out.Type.Quant, lo, hi)
		return func() {
			for i, v := range x {
				out[i] = T(q(v))
			}
		}, nil
	case []int8:
		return requantize(c, n, x, out)
	case []uint8:
		return requantize(c, n, x, out)
	case []int16:
		return requantize(c, n, x, out)
	}
	return nil, fmt.Errorf("no kernel from %v", n.In[0].Type.DType)
}

func requantize[S, T integer](c *compiler, n *graph.Node, x []S, out []T) (func(), error) {
	if err := perTensor(n.In[0]); err != nil {
		return nil, err
	}
	lo, hi := n.Out.Type.DType.Limits()
	limit := quant.Range{Min: lo, Max: hi}
	rescale := rescaler(c.rounding(n), n.In[0].Type.Quant, n.Out.Type.Quant)
	return func() {
		for i, q := range x {
			out[i] = T(limit.Clamp(rescale(int32(q))))
		}
	}, nil
}

// dequantize returns what converts to float32. A constant is converted here and now.
func (c *compiler) dequantize(n *graph.Node) (func(), error) {
	run, err := c.dequantizer(n)
	if err == nil && n.In[0].Constant() {
		run()
		c.fixed[n.Out] = true
		run = func() {}
	}
	return run, err
}

func (c *compiler) dequantizer(n *graph.Node) (func(), error) {
	if x, ok := c.data[n.In[0]].([]graph.Half); ok {
		out := c.data[n.Out].([]float32)
		return func() {
			for i, h := range x {
				out[i] = h.Float32()
			}
		}, nil
	}
	if err := perTensor(n.In[0]); err != nil {
		return nil, err
	}
	out := c.data[n.Out].([]float32)
	switch x := c.data[n.In[0]].(type) {
	case []int8:
		return dequantizeFrom(n, x, out), nil
	case []uint8:
		return dequantizeFrom(n, x, out), nil
	case []int16:
		return dequantizeFrom(n, x, out), nil
	}
	return nil, fmt.Errorf("no kernel from %v", n.In[0].Type.DType)
}

func dequantizeFrom[T integer](n *graph.Node, x []T, out []float32) func() {
	scale, zero := n.In[0].Type.Quant.At(0)
	return func() {
		for i, q := range x {
			out[i] = quant.Dequantize(int32(q), scale, zero)
		}
	}
}

func perTensor(v *graph.Value) error {
	if v.Type.Quant == nil || len(v.Type.Quant.Scale) != 1 {
		return fmt.Errorf("%q: want one scale and zero point", v.Name)
	}
	return nil
}
