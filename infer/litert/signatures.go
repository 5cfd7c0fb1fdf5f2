package litert

import (
	"bytes"
	"encoding/binary"
)

// withoutSignatures returns a copy of a model file whose list of signatures is empty. LiteRT 2.3 trusts the names in it,
// and ends the process over one that is missing; without any it takes the model's own inputs and outputs, which is all
// that is needed here. A file that is damaged before it gets there is returned as it is, for infer.Decode to refuse.
func withoutSignatures(model []byte) []byte {
	b := bytes.Clone(model)
	const field = 7 // signature_defs of the root table, Model
	root, ok := u32(b, 0)
	if !ok {
		return b
	}
	back, ok := u32(b, root)
	if !ok {
		return b
	}
	vtable := root - int64(int32(back))
	size, ok := u16(b, vtable)
	if at := int64(4 + 2*field); !ok || at+2 > size {
		return b
	}
	offset, ok := u16(b, vtable+4+2*field)
	if !ok || offset == 0 {
		return b
	}
	to, ok := u32(b, root+offset)
	if !ok {
		return b
	}
	if _, ok := u32(b, root+offset+to); ok {
		binary.LittleEndian.PutUint32(b[root+offset+to:], 0) // the list's length
	}
	return b
}

func u16(b []byte, at int64) (int64, bool) {
	if at < 0 || at+2 > int64(len(b)) {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint16(b[at:])), true
}

func u32(b []byte, at int64) (int64, bool) {
	if at < 0 || at+4 > int64(len(b)) {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint32(b[at:])), true
}
