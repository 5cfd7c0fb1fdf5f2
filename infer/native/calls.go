package native

import (
	"encoding/binary"
	"math"
)

// What the assembler families have in common: calls of kernels, shared by the pool, and the output stage.

// call is a kernel with its arguments.
type call[A any] struct {
	kernel func(*A)
	args   *A
}

// share returns what makes the calls, which are known when the arena is, with the help of the pool if there is one.
func share[A any](c *compiler, calls *[]call[A]) func() {
	serial := func() {
		for _, k := range *calls {
			k.kernel(k.args)
		}
	}
	if c.pool == nil {
		return serial
	}
	j := &job{serial: serial, do: func(i int) {
		k := &(*calls)[i]
		k.kernel(k.args)
	}}
	c.late = append(c.late, func() { j.n = uint32(len(*calls)) })
	c.jobs = append(c.jobs, j)
	pool := c.pool
	return func() {
		if j.alone || pool.rest > 0 {
			serial()
		} else {
			pool.run(j)
		}
	}
}

// split cuts n into pieces for the pool, that there may be two calls a goroutine where there are calls of a kind.
func (c *compiler) split(n, calls int) (size int) {
	if c.pool == nil {
		return n
	}
	want := 2 * (len(c.pool.helpers) + 1)
	pieces := (want + calls - 1) / calls
	return max((n+pieces-1)/pieces, 1)
}

// clamp is the output stage of an integer kernel, in units of the output's bytes.
type clamp struct {
	zero      uint16
	low, high uint8
}

func (f *conv) clamp() clamp {
	return newClamp(f.zero, f.limit.Min+f.zero, f.limit.Max+f.zero)
}

// newClamp is that of integers without a zero point that is yet to be added, within bounds that are to hold then.
func newClamp(zero, low, high int32) clamp {
	return clamp{zero: uint16(zero + flip), low: uint8(low + flip), high: uint8(high + flip)}
}

// unclamped reports whether XNNPACK's arithmetic holds for every sum without the clamp that it puts before rounding to
// an integer: no sum times its scale comes near 2^31.
func (f *conv) unclamped() bool {
	for o, most := range f.most {
		if float64(most)*float64(f.requant[o].Ratio()) > 1<<30 {
			return false
		}
	}
	return true
}

// put writes channel o's bias and scale.
func (t *output) put(p []byte, biasAt, scaleAt, o int, bias int32) {
	binary.LittleEndian.PutUint32(p[biasAt:], uint32(bias))
	binary.LittleEndian.PutUint32(p[scaleAt:], math.Float32bits(t.requant[o].Ratio()))
}

// blocks returns the calls of a kernel that makes n bytes of out from those at the same place of other buffers, n being a
// multiple of bufferStep.
func blocks[A any](c *compiler, out *buffer, each func(first, n int) call[A]) func() {
	var calls []call[A]
	c.late = append(c.late, func() {
		size := c.split(out.size/bufferStep, 1) * bufferStep
		for first := 0; first < out.size; first += size {
			calls = append(calls, each(first, min(size, out.size-first)))
		}
	})
	return share(c, &calls)
}
