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
	sum    []int32 // (C), or the largest, of the window's bytes
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
	rounding := c.rounding
	if op.Fn == graph.Average {
		rounding = quant.Double // XNNPACK leaves it to TFLite's kernel
	}
	p.limit = activation(rounding, op.Act, n.Out.Type.Quant)
	if run := c.fastPool(p); run != nil {
		return run, nil
	}
	return alone(p.run), nil
}

// run computes all pixels.
func (p *pooling) run() {
	for m := range p.pixels() {
		clear(p.sum)
		count := int32(0)
		for ky := range p.KH {
			for kx := range p.KW {
				if i := p.input(m, ky, kx); i >= 0 {
					p.gather(p.x.data[i*p.x.stride:][:p.C])
					count++
				}
			}
		}
		out := p.out.data[m*p.out.stride:][:p.C]
		for i, sum := range p.sum {
			q := sum - flip
			if p.fn == graph.Average {
				q = average(sum-count*flip, count)
			}
			out[i] = byte(p.limit.Clamp(q)) ^ flip
		}
	}
}

// gather takes a pixel of the window.
func (p *pooling) gather(pixel []byte) {
	sum := p.sum[:len(pixel)]
	if p.fn == graph.Max {
		for i, b := range pixel {
			sum[i] = max(sum[i], int32(b))
		}
		return
	}
	for i, b := range pixel {
		sum[i] += int32(b)
	}
}

// average rounds half away from zero.
func average(sum, count int32) int32 {
	if sum > 0 {
		return (sum + count/2) / count
	}
	return (sum - count/2) / count
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
