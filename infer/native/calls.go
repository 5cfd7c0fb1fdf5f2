//go:build amd64 || arm64

package native

import (
	"encoding/binary"
	"math"

	"mnet-edge/quant"
)

// What the assembler families have in common: calls of kernels, shared by threads, and the output stage.

// calls are, for each thread, kernels with their arguments.
type calls[A any] [][]call[A]

type call[A any] struct {
	kernel func(*A)
	args   *A
}

func newCalls[A any](c *compiler) calls[A] { return make(calls[A], c.team.size()) }

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

// clamp is what a kernel adds to a result, and the range that it keeps to then, for bytes q + 128.
type clamp struct {
	zero      uint16
	low, high uint8
}

func (b bounds) clamp() clamp {
	zero := b.zero + flip
	return clamp{zero: uint16(zero), low: uint8(b.limit.Min + zero), high: uint8(b.limit.Max + zero)}
}

// header is how many bytes of a panel a channel takes before its weights: see describe.
func (f *conv) header() int {
	if f.rounding == quant.Double {
		return 16
	}
	return 8
}

// describe writes what element e of a panel of a width begins with, for channel o: [width] bias int32, [width] scale
// float32; or, for kernels that round twice, [width] bias, multiplier, shift to the right and half of what that cuts off, all
// int32.
func (f *conv) describe(p []byte, e, width, o int) {
	words := []uint32{uint32(f.biasOf(o, f.kernelZero())), math.Float32bits(f.requant[o].Ratio())}
	if f.rounding == quant.Double {
		m := f.requant[o].Multiplier()
		words = append(words[:1], uint32(m.M), uint32(-m.Shift), 1<<(-m.Shift-1))
	}
	for i, word := range words {
		binary.LittleEndian.PutUint32(p[4*(i*width+e):], word)
	}
}

// blocks returns the calls of a kernel, if there is one, that makes n bytes of out from those at the same place of other
// buffers, n being a multiple of bufferStep.
func blocks[A any](c *compiler, kernel func(*A), out *buffer, from []*buffer, each func(first, n int) A) work {
	if kernel == nil {
		return nil
	}
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
