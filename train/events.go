package train

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"time"

	"mnet-edge/model"
)

// What TensorBoard reads is a file of records, all numbers little endian,
//
//	record = length of data (8 bytes), masked CRC of these 8, data, masked CRC of data
//
// where the masked CRC is CRC-32C rotated right by 15 bits, plus 0xa282ead8 (4 bytes). Each data is one protocol buffer:
//
//	Event   = wall_time 1: double, seconds since 1970 | step 2: varint | file_version 3: string, or summary 5: Summary
//	Summary = value 1: Value, any number of times
//	Value   = tag 1: string | simple_value 2: float
//
// The first event has the file_version "brain.Event:2" and nothing else.

// The wire's types of protocol buffers.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func maskedCRC(b []byte) uint32 {
	return bits.RotateLeft32(crc32.Checksum(b, castagnoli), -15) + 0xa282ead8
}

func appendRecord(file, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	file = binary.LittleEndian.AppendUint32(append(file, length...), maskedCRC(length))
	return binary.LittleEndian.AppendUint32(append(file, data...), maskedCRC(data))
}

func appendDouble(b []byte, field byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, field<<3|wire64), math.Float64bits(v))
}

func appendFloat(b []byte, field byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(append(b, field<<3|wire32), math.Float32bits(v))
}

func appendInt(b []byte, field byte, v int64) []byte {
	return binary.AppendUvarint(append(b, field<<3|wireVarint), uint64(v))
}

func appendBytes[T string | []byte](b []byte, field byte, v T) []byte {
	return append(binary.AppendUvarint(append(b, field<<3|wireBytes), uint64(len(v))), v...)
}

// events returns the event file of a run begun at start: one event an epoch, at the step it ended with. A longer history's
// file begins with a shorter one's.
func (h history) events(start time.Time) []byte {
	version := appendDouble(nil, 1, float64(start.Unix()))
	file := appendRecord(nil, appendBytes(version, 3, "brain.Event:2"))
	for _, e := range h {
		var summary []byte
		for _, scalar := range []struct {
			tag   string
			value float64
		}{
			{"loss/training", e.TrainLoss}, {"loss/validation", e.ValLoss},
			{"top1/training", e.TrainTop1}, {"top1/validation", e.ValTop1}, {"learning_rate", e.LR},
		} {
			value := appendFloat(appendBytes(nil, 1, scalar.tag), 2, float32(scalar.value))
			summary = appendBytes(summary, 1, value)
		}
		event := appendInt(appendDouble(nil, 1, float64(max(e.Time, start.Unix()))), 2, e.Step)
		file = appendRecord(file, appendBytes(event, 5, summary))
	}
	return file
}

// writeEvents brings the run's event file up to date. TensorBoard follows a file while it grows and would not notice another
// in its place, so what is missing is appended where that can be done.
func (r *run) writeEvents() error {
	name := fmt.Sprintf("events.out.tfevents.%d.mnet-edge", r.record.Started.Unix())
	path, want := filepath.Join(r.c.Out, name), r.history.events(r.record.Started)
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("train: %w", err)
	}
	missing, ok := bytes.CutPrefix(want, have)
	switch {
	case !ok || len(have) == 0:
		return r.c.writeFile(name, want)
	case len(missing) == 0:
		return nil
	}
	if err := model.AppendFile(r.c.files, path, missing); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}
