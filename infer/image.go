package infer

import (
	"encoding/binary"
	"fmt"
	"math"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// fillTables computes the input bytes of each channel's 256 pixel values, so that preprocessing is a look-up and its
// arithmetic is written once: x = (pixel - mean) / std in float32, then the integer nearest to x / scale + zero.
func (m *Model) fillTables() {
	t := m.Input.Type
	for c := range m.tables {
		for pixel := range m.tables[c] {
			x := float32(float32(pixel)-m.Mean[c]) / m.Std[c]
			if t.DType == graph.Float32 {
				m.tables[c][pixel] = binary.LittleEndian.AppendUint32(nil, math.Float32bits(x))
				continue
			}
			scale, zero := t.Quant.At(0)
			lo, hi := t.DType.Limits()
			q := uint16(quant.Quantize(x, scale, zero, lo, hi))
			m.tables[c][pixel] = binary.LittleEndian.AppendUint16(nil, q)[:t.DType.Size()]
		}
	}
}

// Preprocess turns the pixels of an image of the input's size, (H, W, 3) in 0..255, into the input tensor's bytes, which
// it writes to in: Input.Type.Bytes() of them. It allocates nothing.
func (m *Model) Preprocess(in, rgb []byte) error {
	if want := m.Height * m.Width * 3; len(rgb) != want {
		return fmt.Errorf("infer: an image of %d bytes: the model takes %d (%d, %d, 3)", len(rgb), want, m.Height, m.Width)
	}
	if err := m.Input.CheckSize(len(in)); err != nil {
		return err
	}
	size := m.Input.Type.DType.Size()
	for i, pixel := range rgb {
		copy(in[i*size:(i+1)*size], m.tables[i%3][pixel])
	}
	return nil
}
