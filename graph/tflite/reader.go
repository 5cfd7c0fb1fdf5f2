package tflite

import (
	"encoding/binary"
	"fmt"
	"math"
)

// file reads a flatbuffer that anyone may have made: every offset, length and vtable is held against the bytes there
// are. The first fault stays in err, and after it reads give zeros, so that callers need to look once per table.
type file struct {
	b   []byte
	err error
	// budget is how many more bytes may be referred to. Tables and vectors of a flatbuffer may overlap, so that a
	// small file can describe a huge one; an honest file refers to each byte about once.
	budget int
}

// tableCost is what a table counts against the budget: about what the smallest ones of a model take in the file.
const tableCost = 48

// Identified reports whether b begins as a .tflite file does; its first 8 bytes are enough.
func Identified(b []byte) bool { return len(b) >= 8 && string(b[4:8]) == modelID }

// open returns the root table of a flatbuffer with the file identifier id.
func open(b []byte, id string) (*file, table) {
	f := &file{b: b, budget: 4*min(len(b), math.MaxInt32/8) + 1024}
	switch {
	case len(b) > math.MaxInt32:
		f.failf(0, "%d bytes: a flatbuffer ends at 2 GiB", len(b))
	case len(b) < 8:
		f.failf(0, "%d bytes: too short for a flatbuffer", len(b))
	case string(b[4:8]) != id:
		f.failf(4, "file identifier %q: want %q", b[4:8], id)
	default:
		return f, f.table(f.follow(0))
	}
	return f, table{}
}

func (f *file) failf(at int, format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("at byte %d: %w", at, fmt.Errorf(format, args...))
	}
}

// charge takes n things of size bytes from the budget.
func (f *file) charge(at, n, size int) {
	if n > f.budget/size {
		f.failf(at, "parts overlap: together they describe more than the file holds")
		return
	}
	f.budget -= n * size
}

// span reports whether bytes [at, at+n) exist.
func (f *file) span(at, n int) bool {
	if f.err == nil && (at < 0 || n < 0 || at > len(f.b) || n > len(f.b)-at) {
		f.failf(at, "%d bytes reach past the end (%d)", n, len(f.b))
	}
	return f.err == nil
}

func (f *file) uint16(at int) int {
	if !f.span(at, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(f.b[at:]))
}

// uint32 is a length or offset: values past the largest file are faults.
func (f *file) uint32(at int) int {
	if !f.span(at, 4) {
		return 0
	}
	v := binary.LittleEndian.Uint32(f.b[at:])
	if v > math.MaxInt32 {
		f.failf(at, "offset or length %d", v)
		return 0
	}
	return int(v)
}

// follow is where the offset at a position leads.
func (f *file) follow(at int) int {
	to := at + f.uint32(at)
	if to == at || to < at { // also past an int32's end
		f.failf(at, "an offset that leads nowhere")
		return 0
	}
	return to
}

// table is one table of the file; of the zero table every field is absent.
type table struct {
	f           *file
	at, size    int // of the table's inline part
	vtable, len int // len is the vtable's, in bytes
}

func (f *file) table(at int) table {
	if !f.span(at, 4) {
		return table{}
	}
	t := table{f: f, at: at, vtable: at - int(int32(binary.LittleEndian.Uint32(f.b[at:])))}
	t.len, t.size = f.uint16(t.vtable), f.uint16(t.vtable+2)
	if f.err == nil && (t.len < 4 || t.len%2 != 0 || t.size < 4) {
		f.failf(at, "vtable of %d bytes for a table of %d", t.len, t.size)
	}
	if !f.span(t.vtable, t.len) || !f.span(at, t.size) {
		return table{}
	}
	return t
}

// field is the position of a field of size bytes, 0 if it is absent.
func (t table) field(id, size int) int {
	slot := 4 + 2*id
	if t.f == nil || t.f.err != nil || slot+2 > t.len {
		return 0
	}
	off := t.f.uint16(t.vtable + slot)
	if off == 0 {
		return 0
	}
	if off < 4 || off+size > t.size {
		t.f.failf(t.at, "field %d lies outside its table", id)
		return 0
	}
	return t.at + off
}

func (t table) has(id int) bool { return t.field(id, 1) != 0 }

func (t table) uint8(id int) uint8 {
	if at := t.field(id, 1); at != 0 {
		return t.f.b[at]
	}
	return 0
}

func (t table) int8(id int) int8   { return int8(t.uint8(id)) }
func (t table) bool(id int) bool   { return t.uint8(id) != 0 }
func (t table) int32(id int) int32 { return t.int32Or(id, 0) }

func (t table) int32Or(id int, def int32) int32 {
	if at := t.field(id, 4); at != 0 {
		return int32(binary.LittleEndian.Uint32(t.f.b[at:]))
	}
	return def
}

func (t table) uint32(id int) uint32 { return uint32(t.int32(id)) }

func (t table) float32(id int) float32 { return math.Float32frombits(t.uint32(id)) }

func (t table) uint64(id int) uint64 {
	if at := t.field(id, 8); at != 0 {
		return binary.LittleEndian.Uint64(t.f.b[at:])
	}
	return 0
}

// table is a field that is a table.
func (t table) table(id int) table {
	if at := t.field(id, 4); at != 0 {
		t.f.charge(at, 1, tableCost)
		return t.f.table(t.f.follow(at))
	}
	return table{}
}

// vector is the position and length of a vector of elements of size bytes.
func (t table) vector(id, size int) (at, n int) {
	ref := t.field(id, 4)
	if ref == 0 {
		return 0, 0
	}
	at = t.f.follow(ref)
	n = t.f.uint32(at)
	at += 4
	if t.f.err == nil && n > (len(t.f.b)-at)/size {
		t.f.failf(at-4, "a vector of %d elements reaches past the end", n)
	}
	t.f.charge(at, n, size)
	if t.f.err != nil {
		return 0, 0
	}
	return at, n
}

// filled says whether a field is a vector with something in it, without a charge: it is not read.
func (t table) filled(id int) bool {
	ref := t.field(id, 4)
	return ref != 0 && t.f.uint32(t.f.follow(ref)) > 0
}

// bytes is a field that is a vector of bytes. It shares the file's memory.
func (t table) bytes(id int) []byte {
	at, n := t.vector(id, 1)
	if n == 0 {
		return nil
	}
	return t.f.b[at : at+n : at+n]
}

func (t table) string(id int) string {
	at, n := t.vector(id, 1)
	if at == 0 {
		return ""
	}
	if at+n >= len(t.f.b) || t.f.b[at+n] != 0 { // C++ takes it for a C string
		t.f.failf(at, "a string without the zero byte at its end")
		return ""
	}
	return string(t.f.b[at : at+n])
}

// tables is a field that is a vector of tables; it is short after a fault.
func (t table) tables(id int) []table {
	at, n := t.vector(id, 4)
	if n == 0 {
		return nil
	}
	t.f.charge(at, n, tableCost) // before they are made
	var ts []table
	for i := 0; i < n && t.f.err == nil; i++ {
		ts = append(ts, t.f.table(t.f.follow(at+4*i)))
	}
	return ts
}

func (t table) int32s(id int) []int32 {
	return elements(t, id, 4, func(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) })
}

func (t table) int64s(id int) []int64 {
	return elements(t, id, 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
}

func (t table) float32s(id int) []float32 {
	return elements(t, id, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
}

func elements[T any](t table, id, size int, get func([]byte) T) []T {
	at, n := t.vector(id, size)
	if n == 0 {
		return nil
	}
	s := make([]T, n)
	for i := range s {
		s[i] = get(t.f.b[at+i*size:])
	}
	return s
}
