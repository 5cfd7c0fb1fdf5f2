package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// CIFAR-10's binary format (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009): files of records of
//
//	label   1 byte, 0..9
//	pixels  3072 bytes, (C, H, W) with C = R, G, B and H = W = 32
//
// data_batch_1.bin to data_batch_5.bin are the training images, test_batch.bin the test images, 10,000 records each;
// batches.meta.txt lists the class names. There is no magic number: a file is told by its name, its length and its labels.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarRecord = 1 + 3*cifarPlane
	cifarMeta   = "batches.meta.txt"
	cifarTest   = "test_batch.bin"
)

// cifarClasses stand in where batches.meta.txt is missing: the format has no others.
var cifarClasses = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

func cifarBatch(i int) string { return fmt.Sprintf("data_batch_%d.bin", i) }

func isCIFAR(f file) bool {
	return !f.dir && (f.path == cifarTest || strings.HasPrefix(f.path, "data_batch_") && strings.HasSuffix(f.path, ".bin"))
}

// openCIFAR reads the binary files at the root of the source: all five training files or none, and the test file or not.
func (s *source) openCIFAR(ctx context.Context, o Options) (*Set, error) {
	set := &Set{Classes: cifarClasses}
	if f, ok := s.find(cifarMeta); ok {
		b, err := s.read(f, 1<<16)
		if err == nil {
			set.Classes, err = parseClasses(b)
		}
		if err != nil {
			return nil, within(cifarMeta, err)
		}
	}
	var train []string
	for i := range 5 {
		train = append(train, cifarBatch(i+1))
	}
	if !slices.ContainsFunc(train, func(name string) bool { _, ok := s.find(name); return ok }) {
		train = nil
	}
	var test []string
	if _, ok := s.find(cifarTest); ok {
		test = []string{cifarTest}
	}
	var splits [2]raw
	for i, names := range [][]string{train, test} {
		r := &splits[i]
		*r = raw{h: cifarSide, w: cifarSide, c: 3}
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			f, ok := s.find(name)
			if !ok {
				return nil, refuse("%s is missing", name)
			}
			b, err := s.read(f, o.Limits.Bytes)
			if err == nil {
				err = r.addCIFAR(b, len(set.Classes))
			}
			if err != nil {
				return nil, within(name, err)
			}
		}
	}
	return set, set.fill(ctx, o, splits[0], splits[1])
}

func (s *source) find(path string) (file, bool) {
	i := slices.IndexFunc(s.files, func(f file) bool { return f.path == path && !f.dir })
	if i < 0 {
		return file{}, false
	}
	return s.files[i], true
}

// addCIFAR appends the records of one file, whose labels must be below classes.
func (r *raw) addCIFAR(b []byte, classes int) error {
	if len(b) == 0 || len(b)%cifarRecord != 0 {
		return refuse("%d bytes are no whole number of records of %d bytes", len(b), cifarRecord)
	}
	n := len(b) / cifarRecord
	at := len(r.pixels)
	r.pixels = slices.Grow(r.pixels, n*3*cifarPlane)[:at+n*3*cifarPlane]
	for i := range n {
		record := b[i*cifarRecord : (i+1)*cifarRecord]
		if int(record[0]) >= classes {
			return refuse("record %d has label %d, and there are %d classes", i, record[0], classes)
		}
		r.labels = append(r.labels, uint16(record[0]))
		red, green, blue := record[1:1+cifarPlane], record[1+cifarPlane:1+2*cifarPlane], record[1+2*cifarPlane:]
		out := r.pixels[at+i*3*cifarPlane:]
		for p := range cifarPlane {
			out[3*p], out[3*p+1], out[3*p+2] = red[p], green[p], blue[p]
		}
	}
	r.n += n
	return nil
}
