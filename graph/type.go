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
}

func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// Size is the number of bytes an element takes.
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

// Bytes is the size of the tensor's data.
func (t Type) Bytes() int { return t.Elements() * t.DType.Size() }

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
	if t.DType == Float32 {
		return fmt.Errorf("float32 with a quantization")
	}
	lo, hi := t.DType.Limits()
	return t.Quant.Check(t.Shape, lo, hi)
}

// dataType is the element type and length of a constant's data.
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
	}
	return NoDType, 0
}
