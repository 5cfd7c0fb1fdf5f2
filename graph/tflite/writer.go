package tflite

import (
	"encoding/binary"

	flatbuffers "github.com/google/flatbuffers/go"
)

// obj is a flatbuffers table to be written: the index is the field's number, nil an absent field. Values are bool,
// flag, int8, uint8, int32, uint32, float32, raw8, raw32, raw64, string, []int32, []int64, []float32, blob, obj and []obj. A scalar of
// zero and an empty string are left out; fields whose default is not zero are never written as zero here, but for a flag or
// a raw one.
type obj []any

// Scalars whose meaning is not known here, nor the default: each is written, zero or not.
type (
	raw8  uint8
	raw32 uint32
	raw64 uint64
)

// flag is a bool that is true where it is absent.
type flag bool

// blob is a vector of bytes whose data starts at a multiple of 16 in the file.
type blob []byte

// finish is the flatbuffer with root at its root.
func finish(root obj, id string, size int) []byte {
	w := writer{flatbuffers.NewBuilder(size), map[string]flatbuffers.UOffsetT{}}
	w.FinishWithFileIdentifier(w.table(root), []byte(id))
	return w.FinishedBytes()
}

// writer builds the file. Equal vectors of numbers are written once: the zero points of a model with a scale for each
// channel, all zeros, would be a twentieth of it.
type writer struct {
	*flatbuffers.Builder
	vectors map[string]flatbuffers.UOffsetT
}

// table writes what the table refers to, then the table.
func (w writer) table(o obj) flatbuffers.UOffsetT {
	refs := make([]flatbuffers.UOffsetT, len(o))
	for id, v := range o {
		refs[id] = w.ref(v)
	}
	w.StartObject(len(o))
	for id, v := range o {
		switch v := v.(type) {
		case bool:
			w.PrependBoolSlot(id, v, false)
		case flag:
			w.PrependBoolSlot(id, bool(v), true)
		case int8:
			w.PrependInt8Slot(id, v, 0)
		case uint8:
			w.PrependUint8Slot(id, v, 0)
		case int32:
			w.PrependInt32Slot(id, v, 0)
		case uint32:
			w.PrependUint32Slot(id, v, 0)
		case float32:
			w.PrependFloat32Slot(id, v, 0)
		case raw8:
			w.PrependUint8(uint8(v))
			w.Slot(id)
		case raw32:
			w.PrependUint32(uint32(v))
			w.Slot(id)
		case raw64:
			w.PrependUint64(uint64(v))
			w.Slot(id)
		default:
			w.PrependUOffsetTSlot(id, refs[id], 0)
		}
	}
	return w.EndObject()
}

// ref writes a value that stands outside its table; scalars give 0.
func (w writer) ref(v any) flatbuffers.UOffsetT {
	switch v := v.(type) {
	case string:
		if v == "" {
			return 0
		}
		return w.CreateString(v)
	case []int32:
		return once(w, v, 4, w.PrependInt32)
	case []int64:
		return once(w, v, 8, w.PrependInt64)
	case []float32:
		return once(w, v, 4, w.PrependFloat32)
	case blob:
		w.Prep(16, len(v)) // CreateByteVector on its own aligns the length, not the data
		return w.CreateByteVector(v)
	case obj:
		return w.table(v)
	case []obj:
		refs := make([]flatbuffers.UOffsetT, len(v))
		for i, o := range v {
			refs[i] = w.table(o)
		}
		return vector(w, refs, 4, w.PrependUOffsetT)
	}
	return 0
}

// once writes a vector, unless an equal one is there.
func once[T int32 | int64 | float32](w writer, s []T, size int, prepend func(T)) flatbuffers.UOffsetT {
	key, err := binary.Append([]byte{byte(size)}, binary.LittleEndian, s)
	if err != nil {
		return vector(w, s, size, prepend)
	}
	at, ok := w.vectors[string(key)]
	if !ok {
		at = vector(w, s, size, prepend)
		w.vectors[string(key)] = at
	}
	return at
}

// vector writes elements last to first, as a builder wants them.
func vector[T any](w writer, s []T, size int, prepend func(T)) flatbuffers.UOffsetT {
	w.StartVector(size, len(s), size)
	for i := len(s) - 1; i >= 0; i-- {
		prepend(s[i])
	}
	return w.EndVector(len(s))
}
