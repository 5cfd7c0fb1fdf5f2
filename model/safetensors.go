package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// A safetensors file is
//
//	8 bytes    n, the header's length, little endian
//	n bytes    header: a JSON object, padded with spaces to a multiple of 8
//	the rest   the tensors' values, little endian, row-major
//
//	header = { "NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [BEGIN, END]}, ..., "__metadata__": {"KEY": "VALUE"} }
//
// with offsets counted from the end of the header. The tensors lie one after the other without gap or overlap and the
// last one ends the file. Only F32 is read and written here; PyTorch's BN counters (I64, "...num_batches_tracked"),
// which no computation uses, are stepped over.

const (
	maxHeader = 16 << 20 // bytes; a network of this package needs a few ten thousand
	maxRank   = 8
)

type tensorHeader struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets []int  `json:"data_offsets"`
}

// writeSafetensors writes the tensors in the order of their names.
func writeSafetensors(out io.Writer, ws Weights) error {
	header, end := map[string]tensorHeader{}, 0
	names := slices.Sorted(maps.Keys(ws))
	for _, name := range names {
		size := 4 * len(ws[name].Data)
		header[name] = tensorHeader{"F32", append([]int{}, ws[name].Shape...), []int{end, end + size}}
		end += size
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("model: safetensors header: %w", err)
	}
	if pad := len(text) % 8; pad > 0 {
		text = append(text, strings.Repeat(" ", 8-pad)...)
	}
	if _, err := out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))); err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return err
	}
	for _, name := range names {
		if err := binary.Write(out, binary.LittleEndian, ws[name].Data); err != nil {
			return err
		}
	}
	return nil
}

// readSafetensors reads a whole file's bytes. What it returns shares no memory with them.
func readSafetensors(data []byte) (Weights, error) {
	refuse := func(format string, a ...any) (Weights, error) {
		return nil, fmt.Errorf("safetensors: "+format+": %w", append(a, ErrCheckpoint)...)
	}
	if len(data) < 8 {
		return refuse("%d bytes", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader || n > uint64(len(data)-8) {
		return refuse("header of %d bytes in a file of %d", n, len(data))
	}
	header, err := readHeader(data[8 : 8+n])
	if err != nil {
		return refuse("header: %v", err)
	}
	values := data[8+n:]
	names := slices.SortedFunc(maps.Keys(header), func(a, b string) int {
		return slices.Compare(header[a].Offsets, header[b].Offsets)
	})
	ws, at := Weights{}, 0
	for _, name := range names {
		h := header[name]
		size, err := h.size()
		switch {
		case err != nil:
			return refuse("tensor %q: %v", name, err)
		case h.Offsets[0] != at || h.Offsets[1]-at != size || h.Offsets[1] > len(values):
			return refuse("tensor %q: %d bytes at offsets %v, want %d bytes from %d on, within %d", name, size, h.Offsets, size, at, len(values))
		}
		if h.DType == "F32" {
			t := Tensor{Shape: h.Shape, Data: make([]float32, size/4)}
			for i := range t.Data {
				t.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(values[at+4*i:]))
			}
			ws[name] = t
		} else if !strings.HasSuffix(name, "num_batches_tracked") {
			return refuse("tensor %q: type %s, want F32", name, h.DType)
		}
		at += size
	}
	if at != len(values) {
		return refuse("%d bytes after the last tensor", len(values)-at)
	}
	return ws, nil
}

// readHeader decodes the JSON header token by token: encoding/json alone would let a name appear twice.
func readHeader(text []byte) (map[string]tensorHeader, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("no JSON object")
	}
	header := map[string]tensorHeader{}
	metadata := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := key.(string) // within an object the decoder gives strings for keys
		if name == "__metadata__" && !metadata {
			metadata = true
			if err := d.Decode(&map[string]string{}); err != nil {
				return nil, err
			}
			continue
		}
		if _, twice := header[name]; twice || name == "__metadata__" {
			return nil, fmt.Errorf("%q appears twice", name)
		}
		var h tensorHeader
		if err := d.Decode(&h); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		if len(h.Offsets) != 2 {
			return nil, fmt.Errorf("%q: %d data_offsets", name, len(h.Offsets))
		}
		header[name] = h
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, err
	}
	if rest := bytes.TrimLeft(text[d.InputOffset():], " "); len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the object", len(rest))
	}
	return header, nil
}

// size is the tensor's length in bytes.
func (h tensorHeader) size() (int, error) {
	n, ok := map[string]int{"F32": 4, "I64": 8}[h.DType]
	if !ok {
		return 0, fmt.Errorf("type %q", h.DType)
	}
	if len(h.Shape) > maxRank {
		return 0, fmt.Errorf("%d dimensions", len(h.Shape))
	}
	for _, d := range h.Shape {
		if d < 1 || d > math.MaxInt32 || n > math.MaxInt32*8/d {
			return 0, fmt.Errorf("shape %v", h.Shape)
		}
		n *= d
	}
	return n, nil
}
