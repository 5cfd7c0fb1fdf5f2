package graph

import (
	"fmt"
	"math"
	"slices"

	"mnet-edge/quant"
)

// DType is the type of a tensor's elements.
type DType uint8

const (
	NoDType DType = iota
	Float32
	Int8
	UInt8
	Int16
	Int32
	Int64
	Float16 // of constants that a Dequantize makes float32
	Int4    // of weights, two in a byte of a file; in memory an int8 each
)

var dtypes = [...]struct {
	name     string
	size     int
	min, max int32 // range of quantized values, where the type may carry quantization
}{
	NoDType: {"none", 0, 0, 0},
	Float32: {"float32", 4, 0, 0},
	Int8:    {"int8", 1, math.MinInt8, math.MaxInt8},
	UInt8:   {"uint8", 1, 0, math.MaxUint8},
	Int16:   {"int16", 2, math.MinInt16, math.MaxInt16},
	Int32:   {"int32", 4, math.MinInt32, math.MaxInt32},
	Int64:   {"int64", 8, math.MinInt32, math.MaxInt32},
	Float16: {"float16", 2, 0, 0},
	Int4:    {"int4", 1, -8, 7},
}

func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// Size is the number of bytes an element takes in memory.
func (d DType) Size() int { return dtypes[d].size }

// Limits is the range a zero point of the type may lie in.
func (d DType) Limits() (lo, hi int32) { return dtypes[d].min, dtypes[d].max }

// MaxElements bounds a tensor so that offsets and byte sizes fit an int32, as TFLite's do.
const MaxElements = math.MaxInt32 / 8

// Type is what a value is.
type Type struct {
	DType DType
	Shape []int
	Quant *quant.Params // nil for a plain tensor
}

// Elements is the number of elements. Shapes that Check accepts do not overflow.
func (t Type) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Bytes is the size of the tensor's data in a file.
func (t Type) Bytes() int {
	if t.DType == Int4 {
		return (t.Elements() + 1) / 2
	}
	return t.Elements() * t.DType.Size()
}

// Equal reports whether t and u are the same type, quantization included.
func (t Type) Equal(u Type) bool {
	return t.DType == u.DType && slices.Equal(t.Shape, u.Shape) && t.Quant.Equal(u.Quant)
}

// check reports dimensions below 1, a size over MaxElements or quantization parameters out of range.
func (t Type) check() error {
	if t.DType == NoDType || int(t.DType) >= len(dtypes) {
		return fmt.Errorf("element type %v", t.DType)
	}
	n := 1
	for _, d := range t.Shape {
		if d < 1 {
			return fmt.Errorf("dimension %d in shape %v", d, t.Shape)
		}
		if d > MaxElements/n {
			return fmt.Errorf("shape %v has more than %d elements", t.Shape, MaxElements)
		}
		n *= d
	}
	if t.Quant == nil {
		return nil
	}
	if t.DType == Float32 || t.DType == Float16 {
		return fmt.Errorf("%v with a quantization", t.DType)
	}
	lo, hi := t.DType.Limits()
	return t.Quant.Check(t.Shape, lo, hi)
}

// dataType is the element type and length of a constant's data. Int4 is held as int8.
func dataType(data any) (DType, int) {
	switch d := data.(type) {
	case []float32:
		return Float32, len(d)
	case []int8:
		return Int8, len(d)
	case []uint8:
		return UInt8, len(d)
	case []int16:
		return Int16, len(d)
	case []int32:
		return Int32, len(d)
	case []int64:
		return Int64, len(d)
	case []Half:
		return Float16, len(d)
	}
	return NoDType, 0
}

// checkData reports data of another type or length than t, or numbers that its type has no room for.
func (t Type) checkData(data any) error {
	d, n := dataType(data)
	if want := t.DType; d != want && !(d == Int8 && want == Int4) || n != t.Elements() {
		return fmt.Errorf("%d elements of %v for type %v%v", n, d, t.DType, t.Shape)
	}
	if t.DType == Int4 {
		lo, hi := Int4.Limits()
		for i, q := range data.([]int8) {
			if int32(q) < lo || int32(q) > hi {
				return fmt.Errorf("%d at %d is no int4", q, i)
			}
		}
	}
	return nil
}
