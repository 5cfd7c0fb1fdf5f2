package native

import (
	"encoding/binary"
	"math"
)

// What the assembler families have in common: calls of kernels, shared by threads, and the output stage.

// calls are, for each thread, kernels with their arguments.
type calls[A any] [][]call[A]

type call[A any] struct {
	kernel func(*A)
	args   *A
}

func newCalls[A any](c *compiler) calls[A] { return make(calls[A], c.threads()) }

func (all calls[A]) add(thread int, kernel func(*A), args A) {
	all[thread] = append(all[thread], call[A]{kernel, &args})
}

// share returns what makes the calls, which are known when the arena is. They compute out by its cut, and read no other
// buffers of values than these.
func share[A any](all calls[A], out *buffer, reads ...access) work {
	return work{{out: out, reads: reads, shared: out.cut.parts() > 1, do: func(thread int) {
		for _, k := range all[thread] {
			k.kernel(k.args)
		}
	}}}
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
func blocks[A any](c *compiler, kernel func(*A), out *buffer, from []*buffer, each func(first, n int) A) work {
	out.cut = c.like(out, from[0])
	var reads []access
	for _, b := range from {
		reads = append(reads, access{b, out.cut})
	}
	all := newCalls[A](c)
	c.late = append(c.late, func() {
		for thread, pixels := range spans(out.cut.pixels) {
			first, last := pixels.first*out.stride, roundUp(pixels.last*out.stride, bufferStep)
			all.add(thread, kernel, each(first, last-first))
		}
	})
	return share(all, out, reads...)
}
