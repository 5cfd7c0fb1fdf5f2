//go:build amd64 || arm64

package native

import (
	"unsafe"

	"mnet-edge/graph"
)

// poolArgs are those of averagePool16 and maxPool16: 16 channels at a time.
type poolArgs struct {
	x       unsafe.Pointer // the arena
	table   *int32         // of each output pixel: how many pixels its window holds, and their offsets
	out     *byte
	outStep int // bytes from pixel to pixel
	pixels  int
	blocks  int // of 16 channels
	_       [2]int
	clamp
}

//go:noescape
func averagePool16(a *poolArgs)

//go:noescape
func maxPool16(a *poolArgs)

func (c *compiler) windowPool(p *pooling) func() { return c.poolCalls(averagePool16, maxPool16, p) }

// poolCalls returns the calls of a pool, or nil.
func (c *compiler) poolCalls(average, largest func(*poolArgs), p *pooling) func() {
	table, begins := p.table()
	if p.x.stride%16 != 0 || p.taps() > 1<<16 || len(begins) < p.pixels() {
		return nil
	}
	kernel := average
	if p.fn == graph.Max {
		kernel = largest
	}
	var calls []call[poolArgs]
	c.late = append(c.late, func() {
		for m := range p.pixels() {
			window := table[begins[m]:]
			for i := range window[0] {
				window[1+i] = int32(p.x.offset) + window[1+i]*int32(p.x.stride)
			}
		}
		size := c.split(p.pixels(), 1)
		for first := 0; first < p.pixels(); first += size {
			calls = append(calls, call[poolArgs]{kernel, &poolArgs{
				x: unsafe.Pointer(&c.arena[0]), table: &table[begins[first]],
				out: &p.out.data[first*p.out.stride], outStep: p.out.stride,
				pixels: min(size, p.pixels()-first), blocks: (p.c + 15) / 16, clamp: newClamp(0, p.limit.Min, p.limit.Max),
			}})
		}
	})
	return share(c, &calls)
}
