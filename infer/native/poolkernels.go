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

// fastPool returns the calls of a pool.
func (c *compiler) fastPool(p *pooling) work {
	kernel := c.kernels.averagePool
	if p.fn == graph.Max {
		kernel = c.kernels.maxPool
	}
	large := p.taps() > 1<<16 || p.pixels() > maxTable/p.taps() // for a table, which the pool in Go does without
	if kernel == nil || p.x.stride%16 != 0 || large {
		return nil
	}
	table, begins := p.table()
	c.charge(4*len(table) + 8*len(begins))
	p.out.cut = cut{c.lines(p.N*p.OH, p.OW), []int{0, p.out.channels}}
	calls := newCalls[poolArgs](c)
	c.late = append(c.late, func() {
		for m := range p.pixels() {
			window := table[begins[m]:]
			for i := range window[0] {
				window[1+i] = int32(p.x.offset) + window[1+i]*int32(p.x.stride)
			}
		}
		for thread, pixels := range spans(p.out.cut.pixels) {
			calls.add(thread, kernel, poolArgs{
				x: unsafe.Pointer(&c.arena[0]), table: &table[begins[pixels.first]],
				out: &p.out.data[pixels.first*p.out.stride], outStep: p.out.stride,
				pixels: pixels.last - pixels.first, blocks: (p.C + 15) / 16, clamp: bounds{limit: p.limit}.clamp(),
			})
		}
	})
	return share(calls, p.out, access{buffer: p.x})
}
