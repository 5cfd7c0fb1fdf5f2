package train

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"mnet-edge/model"
)

// event is what readEvents finds in an event file.
type event struct {
	wall    float64
	step    int64
	version string
	scalars map[string]float32
}

// readEvents decodes an event file with another implementation of protocol buffers and the checksum's definition.
func readEvents(t *testing.T, file []byte) (events []event) {
	t.Helper()
	check := func(data, stored []byte) {
		crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
		if want := ((crc >> 15) | (crc << 17)) + 0xa282ead8; binary.LittleEndian.Uint32(stored) != want {
			t.Fatalf("checksum %x, want %x", stored, want)
		}
	}
	for len(file) > 0 {
		n := binary.LittleEndian.Uint64(file)
		check(file[:8], file[8:])
		data := file[12 : 12+n]
		check(data, file[12+n:])
		file = file[16+n:]
		e := event{scalars: map[string]float32{}}
		fields(t, data, func(number protowire.Number, kind protowire.Type, value uint64, content []byte) {
			switch {
			case number == 1 && kind == protowire.Fixed64Type:
				e.wall = math.Float64frombits(value)
			case number == 2 && kind == protowire.VarintType:
				e.step = int64(value)
			case number == 3 && kind == protowire.BytesType:
				e.version = string(content)
			case number == 5 && kind == protowire.BytesType:
				fields(t, content, func(_ protowire.Number, _ protowire.Type, _ uint64, value []byte) {
					var tag string
					fields(t, value, func(number protowire.Number, kind protowire.Type, v uint64, content []byte) {
						switch {
						case number == 1 && kind == protowire.BytesType:
							tag = string(content)
						case number == 2 && kind == protowire.Fixed32Type:
							e.scalars[tag] = math.Float32frombits(uint32(v))
						default:
							t.Errorf("value has field %d of type %d", number, kind)
						}
					})
				})
			default:
				t.Errorf("event has field %d of type %d", number, kind)
			}
		})
		events = append(events, e)
	}
	return events
}

func fields(t *testing.T, b []byte, field func(number protowire.Number, kind protowire.Type, value uint64, content []byte)) {
	t.Helper()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		var value uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			value, n = protowire.ConsumeFixed64(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			value = uint64(v)
		default:
			content, n = protowire.ConsumeBytes(b)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		field(number, kind, value, content)
		b = b[n:]
	}
}

var twoEpochs = history{
	{Epoch: 1, Step: 100, LR: 0.25, TrainLoss: 2, TrainTop1: 0.25, ValLoss: 1.5, ValTop1: 0.5, Time: 1_700_000_100},
	{Epoch: 2, Step: 200, LR: 0.125, TrainLoss: 1, TrainTop1: 0.75, ValLoss: 0.5, ValTop1: 0.875},
}

func TestEvents(t *testing.T) {
	events := readEvents(t, twoEpochs.events(time.Unix(1_700_000_000, 0)))
	if len(events) != 3 || events[0].version != "brain.Event:2" || events[0].wall != 1_700_000_000 || len(events[0].scalars) > 0 {
		t.Fatalf("events %+v", events)
	}
	// An epoch without a time, as older runs have them, counts as of the start.
	for i, wall := range []float64{1_700_000_100, 1_700_000_000} {
		e, row := events[i+1], twoEpochs[i]
		if e.wall != wall || e.step != row.Step || e.version != "" {
			t.Errorf("epoch %d: %+v", i+1, e)
		}
		for tag, want := range map[string]float64{
			"loss/training": row.TrainLoss, "loss/validation": row.ValLoss,
			"top1/training": row.TrainTop1, "top1/validation": row.ValTop1, "learning_rate": row.LR,
		} {
			if got, ok := e.scalars[tag]; !ok || float64(got) != want {
				t.Errorf("epoch %d: %s is %v, want %v", i+1, tag, got, want)
			}
		}
		if len(e.scalars) != 5 {
			t.Errorf("epoch %d: %d values", i+1, len(e.scalars))
		}
	}
}

// The checksum of CRC-32C's check value, crc("123456789") = e3069283: rotated right by 15 bits it is 2507c60d.
func TestMaskedCRC(t *testing.T) {
	if got, want := maskedCRC([]byte("123456789")), uint32(0xc78ab0e5); got != want {
		t.Errorf("%08x, want %08x", got, want)
	}
}

// The file grows while TensorBoard may be reading it, and is made anew when it is no beginning of what it should be.
func TestWriteEvents(t *testing.T) {
	r := &run{c: Config{Out: t.TempDir(), files: model.OSFiles{}}, record: Record{Started: time.Unix(1_700_000_000, 0)}}
	path := filepath.Join(r.c.Out, "events.out.tfevents.1700000000.mnet-edge")
	store := func(h history) []byte {
		t.Helper()
		r.history = h
		if err := r.writeEvents(); err != nil {
			t.Fatal(err)
		}
		return mustRead(t, path)
	}
	want := twoEpochs.events(r.record.Started)
	one := store(twoEpochs[:1])
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if two := store(twoEpochs); !bytes.Equal(two, want) || !bytes.HasPrefix(two, one) {
		t.Error("the second epoch was not appended to the first")
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced, error %v", err)
	}
	for name, spoiled := range map[string][]byte{
		"torn": want[:len(want)-3], "longer": append(slices.Clone(want), 1), "of another run": bytes.Repeat([]byte{7}, len(want)), "empty": nil,
	} {
		if err := os.WriteFile(path, spoiled, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := store(twoEpochs); !bytes.Equal(got, want) {
			t.Errorf("%s file was not put right", name)
		}
	}
}
