package native

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"

	"mnet-edge/graph"
)

// pixelStep is what the bytes of an int8 pixel are usually a multiple of; bufferStep that of a buffer and of where it
// begins.
const (
	pixelStep  = 32
	bufferStep = 64
)

// buffer is a place in the arena: of a value, or of what a kernel needs beside them.
//
// A value's elements lie pixel by pixel, a pixel being the elements along the last axis. One of int8 has stride bytes a
// pixel, of which the first channels are its elements q + 128; values of other types are dense, with a few exceptions:
// see compiler.stride. Elements of more than a byte are little-endian.
type buffer struct {
	dtype    graph.DType
	pixels   int
	channels int
	stride   int // bytes a pixel

	first, last int // the steps from and to which it holds something
	size        int // bytes
	offset      int // in the arena
	data        []byte

	cut  cut // which thread computes what
	made int // in which stretch
}

// newBuffer is the buffer for a value of type t.
func newBuffer(t graph.Type) *buffer {
	b := &buffer{dtype: t.DType, pixels: 1, channels: 1}
	if last := len(t.Shape) - 1; last >= 0 {
		b.channels = t.Shape[last]
		b.pixels = t.Elements() / b.channels
	}
	b.stride = b.channels * t.DType.Size()
	if t.DType == graph.Int8 {
		b.stride = roundUp(b.channels, pixelStep)
	}
	return b.pitch(b.stride)
}

// pitch sets the bytes of a pixel.
func (b *buffer) pitch(stride int) *buffer {
	b.stride = stride
	b.size = roundUp(b.pixels*stride, bufferStep)
	return b
}

func roundUp(n, step int) int { return (n + step - 1) / step * step }

// flip turns an int8's byte into that of q + 128, and back.
const flip = 0x80

// load takes the elements from dense bytes, as Session.Write has them.
func (b *buffer) load(in []byte) {
	row := b.channels * b.dtype.Size()
	switch {
	case row == b.stride: // all pixels are one piece
		b.move(b.data[:len(in)], in)
	case row == 3 && b.stride == 4: // red, green and blue
		mask := uint32(0)
		if b.dtype == graph.Int8 {
			mask = flip * 0x010101
		}
		for p := range b.pixels {
			rgb := in[3*p:][:3]
			binary.LittleEndian.PutUint32(b.data[4*p:], (uint32(rgb[0])|uint32(rgb[1])<<8|uint32(rgb[2])<<16)^mask)
		}
	default:
		for p := range b.pixels {
			b.move(b.data[p*b.stride:][:row], in[p*row:])
		}
	}
}

// store gives the elements as dense bytes.
func (b *buffer) store(out []byte) {
	row := b.channels * b.dtype.Size()
	for p := range b.pixels {
		b.move(out[p*row:][:row], b.data[p*b.stride:])
	}
}

// move copies elements of an int8 with their top bit flipped, others as they are.
func (b *buffer) move(to, from []byte) {
	if b.dtype != graph.Int8 {
		copy(to, from)
		return
	}
	for i, v := range from[:len(to)] {
		to[i] = v ^ flip
	}
}

// place gives every buffer its offset, so that no two of which both hold something at some step overlap, and returns
// the arena's size. The largest go first, each to the lowest place that is free.
func place(buffers []*buffer) (size int) {
	order := slices.Clone(buffers)
	slices.SortStableFunc(order, func(a, b *buffer) int { return cmp.Compare(b.size, a.size) })
	var placed []*buffer // by offset
	for _, b := range order {
		b.offset = 0
		for _, other := range placed {
			if other.last < b.first || b.last < other.first {
				continue
			}
			if b.offset+b.size <= other.offset {
				break
			}
			b.offset = max(b.offset, roundUp(other.offset+other.size, bufferStep))
		}
		size = max(size, b.offset+b.size)
		at, _ := slices.BinarySearchFunc(placed, b, func(x, y *buffer) int { return cmp.Compare(x.offset, y.offset) })
		placed = slices.Insert(placed, at, b)
	}
	return size
}

// aligned is n zero bytes that begin at a multiple of bufferStep.
func aligned(n int) []byte {
	b := make([]byte, n+bufferStep)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (bufferStep - 1)
	return b[skip : skip+n : skip+n]
}
