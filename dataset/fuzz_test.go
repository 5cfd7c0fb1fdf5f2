package dataset

import (
	"bytes"
	"errors"
	"testing"
)

// The stored inputs in testdata/fuzz are known shapes of attack, each in a file that is named after it.

func FuzzDecodeImage(f *testing.F) {
	for _, b := range imageSeeds() {
		f.Add(b)
		f.Add(b[:len(b)*2/3])
	}
	f.Add(pngClaim(1<<15, 1<<16, 8, 2, 0))
	limits := ImageLimits{Pixels: 100_000, Bytes: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) { checkDecode(t, b, limits) })
}

// What parseIDX takes is, written again, the bytes it came from.
func FuzzIDX(f *testing.F) {
	f.Add(idx(make([]byte, 50), 2, 5, 5))
	f.Add(idx([]byte{0, 1}, 2))
	f.Add(idx(nil, 1<<31-1, 1<<31-1, 4))
	f.Add(idx(nil, 0, 1<<31-1, 1<<31-1))
	f.Fuzz(func(t *testing.T, b []byte) {
		dims, values, err := parseIDX(b)
		if err != nil {
			if !errors.Is(err, ErrData) {
				t.Fatalf("error %v is no ErrData", err)
			}
			return
		}
		if !bytes.Equal(idx(values, dims...), b) {
			t.Fatalf("%v and %d values do not make % x", dims, len(values), b)
		}
	})
}

func FuzzCIFARBinary(f *testing.F) {
	f.Add(cifarRecords(0, 9), []byte("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n"))
	f.Add(cifarRecords(3)[:3000], []byte("\n\n"))
	f.Add([]byte{}, []byte("a\r\nb"))
	f.Fuzz(func(t *testing.T, batch, meta []byte) {
		classes, err := parseClasses(meta)
		var r raw
		if err == nil {
			err = r.addCIFAR(batch, len(classes))
		}
		if err != nil {
			if !errors.Is(err, ErrData) {
				t.Fatalf("error %v is no ErrData", err)
			}
			return
		}
		if r.n*cifarRecord != len(batch) || len(r.pixels) != r.n*3*cifarPlane || len(r.labels) != r.n {
			t.Fatalf("%d bytes make %d images, %d bytes, %d labels", len(batch), r.n, len(r.pixels), len(r.labels))
		}
		for i, label := range r.labels {
			if batch[i*cifarRecord] != byte(label) || int(label) >= len(classes) {
				t.Fatalf("record %d has label %d", i, label)
			}
		}
	})
}

// FuzzZip opens the bytes as whatever they begin like. Hardly anything fuzzed gets past the compression and the checksum of a tar.gz, so FuzzTar has the
// tar inside it.
func FuzzZip(f *testing.F) {
	small := tree{"train/a/1.png": pngBytes(gradient(2, 2)), "test/a/1.bmp": bmpBytes(gradient(3, 2))}
	f.Add(small.zip())
	f.Add(small.below("wrapper").zip())
	f.Add(small.tarGz())
	f.Add(idxTree(3, 3).zip())
	f.Add(tree{"../train/a/1.png": nil}.zip())
	f.Fuzz(checkOpen)
}

// FuzzTar compresses the bytes and opens them as a tar.gz.
func FuzzTar(f *testing.F) {
	small := tree{"train/a/1.png": pngBytes(gradient(2, 2)), "test/a/1.bmp": bmpBytes(gradient(3, 2))}
	f.Add(small.tar())
	f.Add(small.below("wrapper").tar())
	f.Add(tree{"../train/a/1.png": nil}.tar())
	f.Fuzz(func(t *testing.T, b []byte) { checkOpen(t, gzipped(b)) })
}

// checkOpen holds an archive of arbitrary bytes to the promises of Open: a set that is whole, or ErrData.
func checkOpen(t *testing.T, archive []byte) {
	path := writeFile(t, "data", archive)
	limits := Limits{Entries: 1000, Bytes: 1 << 22, Image: ImageLimits{Pixels: 100_000, Bytes: 1 << 20}}
	s, err := Open(t.Context(), path, Options{Size: 8, Limits: limits})
	if err != nil {
		if !errors.Is(err, ErrData) {
			t.Fatalf("error %v is no ErrData", err)
		}
		if bytes.ContainsFunc([]byte(err.Error()), func(r rune) bool { return r < ' ' }) {
			t.Fatalf("control characters in %q", err)
		}
		return
	}
	for _, p := range []*Split{&s.Train, &s.Test} {
		if p.H != 8 || p.W != 8 || len(p.Pixels) != p.N*8*8*3 || len(p.Labels) != p.N {
			t.Fatalf("%d images of %dx%d have %d bytes and %d labels", p.N, p.W, p.H, len(p.Pixels), len(p.Labels))
		}
		if _, err := s.count(p); err != nil {
			t.Fatal(err)
		}
	}
}
