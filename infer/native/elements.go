package native

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The operators that move, convert or average elements.

// eachPixel is work of thread 0: f with the bytes of x's and out's elements, pixel by pixel; both have the same shape.
func eachPixel(x, out *buffer, f func(x, out []byte)) work {
	from, to := x.channels*x.dtype.Size(), out.channels*out.dtype.Size()
	return alone(func() {
		for p := range x.pixels {
			f(x.data[p*x.stride:][:from], out.data[p*out.stride:][:to])
		}
	})
}

// lookup computes an int8 or uint8 from another by a table of f.
func (c *compiler) lookup(x, out *buffer, f func(q int32) int32) work {
	table := new([256]byte)
	for b := range table {
		q := int32(b)
		if x.dtype == graph.Int8 {
			q = int32(int8(b ^ flip))
		}
		table[b] = byte(f(q))
		if out.dtype == graph.Int8 {
			table[b] ^= flip
		}
	}
	if run := c.fastLookup(table, x, out); run != nil {
		return run
	}
	return eachPixel(x, out, func(x, out []byte) {
		for i, b := range x {
			out[i] = table[b]
		}
	})
}

// element reads and writes element i of a row of an integer type.
func element(d graph.DType, row []byte, i int) int32 {
	switch d {
	case graph.Int8:
		return int32(int8(row[i] ^ flip))
	case graph.Int16:
		return int32(int16(binary.LittleEndian.Uint16(row[2*i:])))
	}
	return int32(row[i])
}

func setElement(d graph.DType, row []byte, i int, q int32) {
	switch d {
	case graph.Int8:
		row[i] = byte(q) ^ flip
	case graph.Int16:
		binary.LittleEndian.PutUint16(row[2*i:], uint16(q))
	default:
		row[i] = byte(q)
	}
}

func float(row []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
}

// integers reports an error for a value that is no integers with one scale and zero point.
func integers(v *graph.Value) error {
	switch v.Type.DType {
	case graph.Int8, graph.UInt8, graph.Int16:
	default:
		return fmt.Errorf("no kernel for %v", v.Type.DType)
	}
	if v.Type.Quant == nil || len(v.Type.Quant.Scale) != 1 {
		return fmt.Errorf("%q: want one scale and zero point", v.Name)
	}
	return nil
}

func (c *compiler) quantize(n *graph.Node, x, out *buffer) (work, error) {
	if err := integers(n.Out); err != nil {
		return nil, err
	}
	lo, hi := out.dtype.Limits()
	if x.dtype == graph.Float32 {
		q := newQuantizer(c.rounding, n.Out.Type.Quant, lo, hi)
		return eachPixel(x, out, func(x, to []byte) {
			for i := range out.channels {
				setElement(out.dtype, to, i, q.apply(float(x, i)))
			}
		}), nil
	}
	if err := integers(n.In[0]); err != nil {
		return nil, err
	}
	r := c.rounding
	if x.dtype != out.dtype || x.dtype == graph.Int16 {
		r = quant.Double // XNNPACK takes int8 to int8, and uint8 to uint8
	}
	rescale := rescaler(r, n.In[0].Type.Quant, n.Out.Type.Quant, quant.Range{Min: lo, Max: hi})
	if x.dtype.Size() == 1 && out.dtype.Size() == 1 {
		return c.lookup(x, out, rescale), nil
	}
	return eachPixel(x, out, func(from, to []byte) {
		for i := range out.channels {
			setElement(out.dtype, to, i, rescale(element(x.dtype, from, i)))
		}
	}), nil
}

func (c *compiler) dequantize(n *graph.Node, x, out *buffer) (work, error) {
	if err := integers(n.In[0]); err != nil {
		return nil, err
	}
	scale, zero := n.In[0].Type.Quant.At(0)
	return eachPixel(x, out, func(from, to []byte) {
		for i := range out.channels {
			q := element(x.dtype, from, i)
			binary.LittleEndian.PutUint32(to[4*i:], math.Float32bits(quant.Dequantize(q, scale, zero)))
		}
	}), nil
}

// arithmetic returns what computes a sum, a difference or a product: in XNNPACK's arithmetic by a kernel, else by a table of
// all pairs of integers.
func (c *compiler) arithmetic(n *graph.Node, op graph.Arithmetic) (work, error) {
	if n.Out.Type.DType != graph.Int8 {
		return c.borrow(n)
	}
	one, two := n.In[0].Type.Quant, n.In[1].Type.Quant
	var apply func(a, b byte) byte
	fast := func(a, b, out *buffer) work { return nil }
	if c.rounding == quant.Float32 && op.Fn == graph.Mul {
		f := newMultiplier(op, one, two, n.Out.Type.Quant)
		apply, fast = f.apply, func(a, b, out *buffer) work { return c.fastMul(&f, a, b, out) }
	} else if f, ok := newAdder(op, one, two, n.Out.Type.Quant); ok && c.rounding == quant.Float32 && op.Fn != graph.Mul {
		apply, fast = f.apply, func(a, b, out *buffer) work { return c.fastAdd(&f, a, b, out) }
	} else {
		table, err := c.pairs(n)
		if err != nil {
			return nil, err
		}
		apply = func(a, b byte) byte { return table[int(a)<<8|int(b)] }
	}
	out := c.alloc(n.Out)
	a, spreadA, err := c.operand(n.In[0], n.Out)
	if err != nil {
		return nil, err
	}
	b, spreadB, err := c.operand(n.In[1], n.Out)
	if err != nil {
		return nil, err
	}
	run := fast(a, b, out)
	if run == nil {
		run = alone(func() {
			for p := range out.pixels {
				to, a, b := out.data[p*out.stride:][:out.channels], a.data[p*a.stride:], b.data[p*b.stride:]
				for i := range to {
					to[i] = apply(a[i], b[i])
				}
			}
		})
	}
	return slices.Concat(spreadA, spreadB, run), nil
}

// operand is v with the shape and the layout of out, of which it may have been a part that is repeated, and what makes it
// so in each run, or nil.
func (c *compiler) operand(v, out *graph.Value) (b *buffer, spread work, err error) {
	like := c.buffers[out]
	from := newBuffer(v.Type)
	if !v.Constant() {
		if from, err = c.readInt8(v); err != nil {
			return nil, nil, err
		}
		if from.stride == like.stride && slices.Equal(v.Type.Shape, out.Type.Shape) {
			return from, nil, nil
		}
	}
	b = c.add(newBuffer(out.Type).pitch(like.stride))
	fill := c.repeat(v.Type.Shape, out.Type.Shape, from, b)
	if !v.Constant() {
		return b, alone(fill), nil
	}
	b.first, b.last = 0, c.end
	c.late = append(c.late, func() {
		from.data = make([]byte, from.size)
		from.pack(v.Data.([]int8))
		fill()
		from.data = nil
	})
	return b, nil, nil
}

// repeat returns what copies x, of a shape, to a buffer of another, repeating it where its own has 1 or nothing.
func (c *compiler) repeat(from, to []int, x, out *buffer) func() {
	if len(to) == 0 {
		return func() { out.data[0] = x.data[0] }
	}
	last, step := len(to)-1, make([]int, len(to))
	from = append(slices.Repeat([]int{1}, len(to)-len(from)), from...)
	for i, s := range graph.Strides(from[:last]) {
		if from[i] != 1 {
			step[i] = s
		}
	}
	pixels := c.places(to[:last], step[:last], 0)
	single := from[last] == 1
	return func() {
		for p, at := range pixels {
			row, to := x.data[at*x.stride:], out.data[p*out.stride:][:out.channels]
			if !single {
				copy(to, row)
				continue
			}
			for i := range to {
				to[i] = row[0]
			}
		}
	}
}

// reshape copies elements in order, in the longest pieces that are whole in both shapes.
func reshape(x, out *buffer) {
	size := x.dtype.Size()
	from, to := x.channels*size, out.channels*size // bytes of a pixel that are elements
	fromPixel, fromAt, toPixel, toAt := 0, 0, 0, 0
	for fromPixel < x.pixels {
		n := min(from-fromAt, to-toAt)
		copy(out.data[toPixel*out.stride+toAt:][:n], x.data[fromPixel*x.stride+fromAt:])
		if fromAt += n; fromAt == from {
			fromPixel, fromAt = fromPixel+1, 0
		}
		if toAt += n; toAt == to {
			toPixel, toAt = toPixel+1, 0
		}
	}
}

// padded copies x's pixels into the middle of the result, all of which is the zero point before.
func (c *compiler) padded(n *graph.Node, op graph.Pad, x, out *buffer) func() {
	_, zero := n.Out.Type.Quant.At(0)
	fill := byte(zero) ^ flip
	to, channel := []int{0}, 0
	if last := len(op.Before) - 1; last >= 0 {
		step, start := graph.Strides(n.Out.Type.Shape[:last]), 0
		for i, s := range step {
			start += op.Before[i] * s
		}
		to, channel = c.places(n.In[0].Type.Shape[:last], step, start), op.Before[last]
	}
	return func() {
		for i := range out.data {
			out.data[i] = fill
		}
		for p, at := range to {
			copy(out.data[at*out.stride+channel:], x.data[p*x.stride:][:x.channels])
		}
	}
}

// places are graph.Offsets, charged; none if that is too much, which is found out once the node is done.
func (c *compiler) places(shape, step []int, start int) []int {
	if c.charge(8 * graph.Type{Shape: shape}.Elements()); c.afford() != nil {
		return nil
	}
	return graph.Offsets(shape, step, start)
}

func (c *compiler) mean(n *graph.Node, op graph.Mean, x, out *buffer) (work, error) {
	shape, count := n.In[0].Type.Shape, 1
	kept := slices.Clone(shape)
	for _, a := range op.Axes {
		kept[a] = 1
		count *= shape[a]
	}
	if count > math.MaxInt32/255 {
		return nil, fmt.Errorf("the mean of %d elements may overflow its accumulator", count)
	}
	step := graph.Strides(kept)
	for _, a := range op.Axes {
		step[a] = 0
	}
	last := len(shape) - 1
	// The places of the sums of each pixel's first element, and how far it is from there to the next element's.
	to, next := c.places(shape[:last], step[:last], 0), step[last]
	m := newMean(c.rounding, count, n.In[0].Type.Quant, n.Out.Type.Quant)
	if next == 1 && contiguous(to, count, x.channels) {
		if run := c.fastMean(&m, count, x, out); run != nil {
			return run, nil
		}
	}
	sum := make([]int32, out.pixels*out.channels)
	return alone(func() {
		clear(sum)
		for p, at := range to {
			for i, b := range x.data[p*x.stride:][:x.channels] {
				sum[at+i*next] += int32(b) - flip
			}
		}
		for p := range out.pixels {
			to := out.data[p*out.stride:][:out.channels]
			for i, s := range sum[p*out.channels:][:len(to)] {
				to[i] = m.finish(s)
			}
		}
	}), nil
}

// contiguous reports whether each count pixels in a row are what meets in one pixel of the result.
func contiguous(to []int, count, channels int) bool {
	for p, at := range to {
		if at != p/count*channels {
			return false
		}
	}
	return true
}
