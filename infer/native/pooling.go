package native

import (
	"errors"
	"math"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// pooling slides a window over x and takes each channel's mean or largest byte of what it holds, padding left out.
type pooling struct {
	window
	x, out *buffer
	fn     graph.PoolFunc
	limit  quant.Range
	sum    []int32 // (C)
}

func (c *compiler) pool2D(n *graph.Node, op graph.Pool) (work, error) {
	x, err := c.readInt8(n.In[0])
	if err != nil {
		return nil, err
	}
	if int64(op.Size[0])*int64(op.Size[1]) > math.MaxInt32/256 {
		return nil, errors.New("the window may overflow its accumulator")
	}
	p := &pooling{x: x, out: c.alloc(n.Out), fn: op.Fn}
	p.Geometry, _ = n.Geometry()
	p.sum = make([]int32, p.C)
	f := average
	p.limit = activation(quant.Double, op.Act, n.Out.Type.Quant) // XNNPACK leaves the mean to TFLite's kernel
	if op.Fn == graph.Max {
		f, p.limit = largest, activation(c.rounding, op.Act, n.Out.Type.Quant)
	}
	if run := c.fastPool(p); run != nil {
		return run, nil
	}
	return alone(func() { p.each(f) }), nil
}

// each gives f, for every output pixel, the bytes of the window's pixels one by one; f with no pixel finishes: it turns
// what it gathered of count pixels in sum into integers.
func (p *pooling) each(f func(sum []int32, pixel []byte, count int32)) {
	for m := range p.pixels() {
		clear(p.sum)
		count := int32(0)
		for ky := range p.KH {
			for kx := range p.KW {
				if i := p.input(m, ky, kx); i >= 0 {
					f(p.sum, p.x.data[i*p.x.stride:][:p.C], 0)
					count++
				}
			}
		}
		f(p.sum, nil, count)
		out := p.out.data[m*p.out.stride:][:p.C]
		for i, q := range p.sum {
			out[i] = byte(p.limit.Clamp(q)) ^ flip
		}
	}
}

func largest(sum []int32, pixel []byte, _ int32) {
	for i, b := range pixel {
		sum[i] = max(sum[i], int32(b))
	}
	if pixel == nil {
		for i := range sum {
			sum[i] -= flip
		}
	}
}

// average rounds half away from zero.
func average(sum []int32, pixel []byte, count int32) {
	for i, b := range pixel {
		sum[i] += int32(b) - flip
	}
	if pixel == nil {
		for i, s := range sum {
			if s > 0 {
				sum[i] = (s + count/2) / count
			} else {
				sum[i] = (s - count/2) / count
			}
		}
	}
}

// table says which pixels each output pixel's window holds: how many, at least one, then which; and where in it that begins.
func (p *pooling) table() (table []int32, begins []int) {
	for m := range p.pixels() {
		at := len(table)
		table = append(table, 0)
		for ky := range p.KH {
			for kx := range p.KW {
				if i := p.input(m, ky, kx); i >= 0 {
					table = append(table, int32(i))
				}
			}
		}
		table[at] = int32(len(table) - at - 1)
		begins = append(begins, at)
	}
	return table, begins
}
