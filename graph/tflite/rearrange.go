package tflite

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// The codecs of the operators that move elements. Of a graph's Slice a file has a SLICE, or where it leaves elements out
// a STRIDED_SLICE; a STRIDED_SLICE whose dimensions are not its input's, a PACK and an UNPACK are read as two operators,
// and what gives several results as a slice for each that is used.

func sliceVersion(n *graph.Node) int {
	switch {
	case len(n.In[0].Type.Shape) > 4:
		return 5
	case n.In[0].Type.DType == graph.Int16:
		return 4
	case ofInt8(n):
		return 2
	}
	return 1
}

func stridedVersion(n *graph.Node) int {
	switch {
	case len(n.In[0].Type.Shape) > 4:
		return 4
	case ofInt8(n):
		return 2
	}
	return 1
}

func encodeSlice(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.Slice)
	return obj{}, []*graph.Value{operand(n, "begin", o.Begin), operand(n, "size", o.Size)}
}

func decodeSlice(c *call) (graph.Op, error) {
	args, err := c.attributes("begin", "size")
	if err != nil {
		return nil, err
	}
	o := whole(c.in[0])
	if len(args[0]) != len(o.Begin) || len(args[1]) != len(o.Begin) {
		return nil, fmt.Errorf("slice from %v of %v of input %v", args[0], args[1], o.Size)
	}
	for i, d := range o.Size {
		if o.Begin[i], o.Size[i] = args[0][i], args[1][i]; o.Size[i] == -1 {
			o.Size[i] = d - o.Begin[i]
		}
	}
	return o, nil
}

// whole is the slice that takes all of a value.
func whole(v *graph.Value) graph.Slice {
	shape := v.Type.Shape
	return graph.Slice{Begin: make([]int, len(shape)), Size: slices.Clone(shape), Step: slices.Repeat([]int{1}, len(shape))}
}

// encodeStrided writes the position behind a slice as its end. Before element 0 there is none that a file could name: a
// bit of the mask stands for it.
func encodeStrided(n *graph.Node) (obj, []*graph.Value) {
	o, x := n.Op.(graph.Slice), n.In[0].Type.Shape
	end, mask := make([]int, len(x)), int32(0)
	for i, d := range x {
		if end[i] = min(o.Begin[i]+o.Size[i]*o.Step[i], d); end[i] < 0 {
			end[i], mask = 0, mask|1<<i
		}
	}
	return obj{sliceEnd: mask, sliceShrink: int32(0)},
		[]*graph.Value{operand(n, "begin", o.Begin), operand(n, "end", end), operand(n, "strides", o.Step)}
}

// decodeStrided resolves the masks. Each entry of begin, end and strides is about the next dimension. But an ellipsis is about
// all dimensions without an entry of their own, and a new axis about none. What shrinks or is new takes a reshape behind the slice.
// Source: TFLite's BuildStridedSliceParams and strided_slice_logic.h.
func decodeStrided(c *call) (graph.Op, error) {
	args, err := c.attributes("begin", "end", "strides")
	if err != nil {
		return nil, err
	}
	entries := len(args[0])
	if len(args[1]) != entries || len(args[2]) != entries {
		return nil, fmt.Errorf("begin %v, end %v, strides %v", args[0], args[1], args[2])
	}
	if c.options.bool(sliceOffset) {
		return nil, fmt.Errorf("with ends that are offsets: %w", ErrUnsupported)
	}
	masked := func(mask, entry int) bool { return c.options.int32(mask)>>entry&1 != 0 }
	x := c.in[0].Type.Shape
	rest := len(x) // dimensions without an entry of their own
	for i := range entries {
		if !masked(sliceEllipsis, i) && !masked(sliceNewAxis, i) {
			rest--
		}
	}
	o, dim := whole(c.in[0]), 0
	var shape []int
	keep := func(dims int) {
		dims = min(max(dims, 0), len(x)-dim)
		shape, dim = append(shape, x[dim:dim+dims]...), dim+dims
	}
	for i := range entries {
		switch {
		case masked(sliceEllipsis, i):
			keep(rest)
			rest = 0
		case masked(sliceNewAxis, i):
			shape = append(shape, 1)
		case dim == len(x):
			return nil, fmt.Errorf("%d entries for input %v", entries, x)
		default:
			begin, end, step := args[0][i], args[1][i], args[2][i]
			if step == 0 {
				return nil, fmt.Errorf("strides %v", args[2])
			}
			shrink := masked(sliceShrink, i)
			o.Begin[dim], o.Size[dim], o.Step[dim] = stretch(x[dim], begin, end, step,
				masked(sliceBegin, i), masked(sliceEnd, i), shrink)
			if !shrink {
				shape = append(shape, o.Size[dim])
			}
			dim++
		}
	}
	keep(len(x) - dim)
	if slices.Equal(shape, o.Size) {
		return o, nil
	}
	c.in[0], err = c.step(o, c.in[0])
	return graph.Reshape{Shape: shape}, err
}

// stretch is what a slice takes of a dimension of d elements: the first, how many, and how far apart. Negative positions
// count from the end; all are clamped to the dimension.
func stretch(d, begin, end, step int, fromFirst, toLast, one bool) (first, size, by int) {
	least, most := 0, d
	if step < 0 {
		least, most = -1, d-1
	}
	at := func(i int) int {
		if i < 0 {
			i += d
		}
		return min(max(i, least), most)
	}
	from, to := at(begin), at(end)
	if step < 0 { // what is masked is the other way round
		least, most = most, least
	}
	if fromFirst {
		from = least
	}
	if toLast {
		to = most
	}
	switch {
	case one:
		return from, 1, 1
	case step > 0:
		return from, (to - from + step - 1) / step, step
	}
	return from, (from - to - step - 1) / -step, step
}

// decodeReverse makes a slice backward of the axes.
func decodeReverse(c *call) (graph.Op, error) {
	axes, err := c.axes()
	o := whole(c.in[0])
	for _, a := range axes {
		if a < 0 || a >= len(o.Begin) {
			return nil, fmt.Errorf("axes %v of input %v", axes, o.Size)
		}
		o.Begin[a], o.Step[a] = o.Size[a]-1, -1
	}
	return o, err
}

// decodeSplit takes one of equal parts along an axis, which is the first input.
func decodeSplit(c *call) (graph.Op, error) {
	if len(c.in) != 2 {
		return nil, fmt.Errorf("%d inputs: want 2", len(c.in))
	}
	axis, err := numbers(c.in[0])
	if err != nil {
		return nil, fmt.Errorf("axis: %w", err)
	}
	c.in = c.in[1:]
	o := whole(c.in[0])
	a, err := c.axis(axis)
	if err != nil || o.Size[a]%c.parts != 0 {
		return nil, fmt.Errorf("%d parts along axis %v of input %v", c.parts, axis, o.Size)
	}
	o.Size[a] /= c.parts
	o.Begin[a] = c.part * o.Size[a]
	return o, nil
}

// decodeSplitV takes one of parts whose sizes are the second input, one of which may be -1, the rest.
func decodeSplitV(c *call) (graph.Op, error) {
	args, err := c.attributes("sizes", "axis")
	if err != nil {
		return nil, err
	}
	o, sizes := whole(c.in[0]), args[0]
	a, err := c.axis(args[1])
	if err != nil {
		return nil, err
	}
	if len(sizes) != c.parts {
		return nil, fmt.Errorf("%d sizes of %d parts", len(sizes), c.parts)
	}
	rest := o.Size[a]
	for _, size := range sizes {
		rest -= max(size, 0)
	}
	for i, size := range sizes[:c.part+1] {
		if size == -1 {
			size = rest
		}
		if i < c.part {
			o.Begin[a] += size
		} else {
			o.Size[a] = size
		}
	}
	return o, nil
}

// decodeUnpack takes one element along an axis, and the axis away.
func decodeUnpack(c *call) (graph.Op, error) {
	o := whole(c.in[0])
	a, err := c.axis([]int{int(c.options.int32(packAxis))})
	if err != nil || o.Size[a] != c.parts {
		return nil, fmt.Errorf("%d parts along axis %d of input %v", c.parts, c.options.int32(packAxis), o.Size)
	}
	shape := slices.Delete(slices.Clone(o.Size), a, a+1)
	o.Begin[a], o.Size[a] = c.part, 1
	part, err := c.step(o, c.in[0])
	c.in = []*graph.Value{part}
	return graph.Reshape{Shape: shape}, err
}

// decodePack gives each input the axis along which they are concatenated.
func decodePack(c *call) (graph.Op, error) {
	axis := int(c.options.int32(packAxis))
	rank := len(c.in[0].Type.Shape)
	if axis < 0 {
		axis += rank + 1
	}
	if axis < 0 || axis > rank {
		return nil, fmt.Errorf("axis %d for inputs of %d dimensions", c.options.int32(packAxis), rank)
	}
	in := make([]*graph.Value, len(c.in))
	for i, v := range c.in {
		if len(v.Type.Shape) != rank {
			return nil, fmt.Errorf("%v beside %v", v.Type.Shape, c.in[0].Type.Shape)
		}
		var err error
		if in[i], err = c.step(graph.Reshape{Shape: slices.Insert(slices.Clone(v.Type.Shape), axis, 1)}, v); err != nil {
			return nil, err
		}
	}
	c.in = in
	return graph.Concat{Axis: axis}, nil
}

func encodeSpaceToDepth(n *graph.Node) (obj, []*graph.Value) {
	return obj{blockSize: int32(n.Op.(graph.SpaceToDepth).Block)}, nil
}

func encodeDepthToSpace(n *graph.Node) (obj, []*graph.Value) {
	return obj{blockSize: int32(n.Op.(graph.DepthToSpace).Block)}, nil
}

func decodeSpaceToDepth(c *call) (graph.Op, error) {
	return graph.SpaceToDepth{Block: int(c.options.int32(blockSize))}, nil
}

func decodeDepthToSpace(c *call) (graph.Op, error) {
	return graph.DepthToSpace{Block: int(c.options.int32(blockSize))}, nil
}

func encodeMirrorPad(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.MirrorPad)
	mode := mirrorReflect
	if o.Symmetric {
		mode = mirrorSymmetric
	}
	return obj{mirrorMode: mode}, paddings(n, o.Before, o.After)
}

func decodeMirrorPad(c *call) (graph.Op, error) {
	before, after, err := c.paddings()
	mode := c.options.int8(mirrorMode)
	if err == nil && mode != mirrorReflect && mode != mirrorSymmetric {
		err = fmt.Errorf("mode %d", mode)
	}
	return graph.MirrorPad{Before: before, After: after, Symmetric: mode == mirrorSymmetric}, err
}

func encodeTile(n *graph.Node) (obj, []*graph.Value) {
	times := n.Op.(graph.Tile).Times
	return obj{}, []*graph.Value{operand(n, "multiples", times)}
}

func decodeTile(c *call) (graph.Op, error) {
	times, err := c.attribute("multiples")
	return graph.Tile{Times: times}, err
}
