package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The IDX format (LeCun, "The MNIST database of handwritten digits"), big-endian, often behind gzip:
//
//	magic   0, 0, the type of the values (8: unsigned byte), the number of dimensions
//	sizes   one uint32 a dimension
//	values  row-major
//
// A data set is four such files: images (N, H, W) and labels (N) for training and for test. What a file holds is told by its
// dimensions, which split it is of by the beginning of its name: train, or t10k or test.
const idxByte = 8

// idxNames may give the class names, one a line; without it the labels are their own names.
const idxNames = "classes.txt"

// idxPart is the pair of files of a split.
type idxPart struct{ images, labels file }

// findIDX returns the IDX files at the root of the source, by split folder's name; none if there are none.
func (s *source) findIDX() (map[string]*idxPart, error) {
	parts := make(map[string]*idxPart)
	for _, f := range s.files {
		if f.dir || strings.Contains(f.path, "/") {
			continue
		}
		lower := strings.ToLower(f.path)
		named := strings.Contains(lower, "ubyte") // the names IDX files go by end in idx3-ubyte or idx1-ubyte
		head, err := s.head(f, 4)
		if err != nil && (named || !errors.Is(err, ErrData)) {
			return nil, err
		}
		if len(head) < 4 || head[0] != 0 || head[1] != 0 || head[2] != idxByte {
			if named {
				return nil, refuse("%q begins with % x, not with the magic number of IDX bytes", f.path, head)
			}
			continue
		}
		split := ""
		switch {
		case strings.HasPrefix(lower, "train"):
			split = trainFolder
		case strings.HasPrefix(lower, "t10k"), strings.HasPrefix(lower, "test"):
			split = testFolder
		default:
			return nil, refuse("%q is an IDX file, but its name begins neither with train nor with t10k or test", f.path)
		}
		if parts[split] == nil {
			parts[split] = new(idxPart)
		}
		to := &parts[split].images
		switch head[3] {
		case 1:
			to = &parts[split].labels
		case 3:
		default:
			return nil, refuse("%q has %d dimensions; images have 3, labels 1", f.path, head[3])
		}
		if to.path != "" {
			return nil, refuse("%q and %q are both of %s", to.path, f.path, split)
		}
		*to = f
	}
	return parts, nil
}

func (s *source) openIDX(ctx context.Context, parts map[string]*idxPart, o Options) (*Set, error) {
	splits := make(map[string]raw)
	for _, split := range []string{trainFolder, testFolder} {
		if p := parts[split]; p != nil {
			var err error
			if splits[split], err = s.readIDX(p, split, o.Limits.Bytes); err != nil {
				return nil, err
			}
		}
	}
	set := new(Set)
	if err := set.fill(ctx, o, splits[trainFolder], splits[testFolder]); err != nil {
		return nil, err
	}
	var err error
	set.Classes, err = s.namesIDX(slices.Concat(splits[trainFolder].labels, splits[testFolder].labels))
	return set, err
}

// namesIDX are the names of the classes that the labels number.
func (s *source) namesIDX(labels []uint16) (names []string, err error) {
	if f, ok := s.find(idxNames); ok {
		b, err := s.read(f, 1<<20)
		if err == nil {
			names, err = parseClasses(b)
		}
		return names, within(idxNames, err)
	}
	for i := range int(slices.Max(labels)) + 1 {
		names = append(names, strconv.Itoa(i))
	}
	return names, nil
}

func (s *source) readIDX(p *idxPart, split string, limit int64) (raw, error) {
	if p.images.path == "" || p.labels.path == "" {
		return raw{}, refuse("of the IDX files of %s, the images or the labels are missing", split)
	}
	load := func(f file) (dims []int, values []byte, err error) {
		b, err := s.read(f, limit)
		if err != nil {
			return nil, nil, err
		}
		if b, err = s.gunzip(b); err == nil {
			dims, values, err = parseIDX(b)
		}
		return dims, values, within(strconv.Quote(f.path), classify(ErrData, err))
	}
	dims, pixels, err := load(p.images)
	if err != nil {
		return raw{}, err
	}
	count, values, err := load(p.labels)
	switch {
	case err != nil:
		return raw{}, err
	case len(dims) != 3 || len(count) != 1:
		return raw{}, refuse("%q and %q changed while they were read", p.images.path, p.labels.path)
	case dims[0] != count[0]:
		return raw{}, refuse("%q has %d images, %q %d labels", p.images.path, dims[0], p.labels.path, count[0])
	case len(pixels) == 0:
		return raw{}, refuse("%q is empty", p.images.path)
	case dims[1] > maxSide || dims[2] > maxSide:
		return raw{}, refuse("%q has images of %dx%d", p.images.path, dims[2], dims[1])
	}
	labels := make([]uint16, len(values))
	for i, v := range values {
		labels[i] = uint16(v)
	}
	return raw{n: dims[0], h: dims[1], w: dims[2], c: 1, pixels: pixels, labels: labels}, nil
}

// parseIDX returns the sizes and the values of an IDX file of bytes, the values sharing memory with b.
func parseIDX(b []byte) (dims []int, values []byte, err error) {
	if len(b) < 4 || b[0] != 0 || b[1] != 0 {
		return nil, nil, refuse("no IDX file")
	}
	if b[2] != idxByte {
		return nil, nil, refuse("values of type %#x; only unsigned bytes (0x8) are read", b[2])
	}
	rank := int(b[3])
	values = b[4:]
	if rank < 1 || len(values) < 4*rank {
		return nil, nil, refuse("the header of %d dimensions is cut off", rank)
	}
	product := uint64(1)
	for range rank {
		d := binary.BigEndian.Uint32(values)
		values = values[4:]
		if d > math.MaxInt32 || d != 0 && product > math.MaxInt64/uint64(d) {
			return nil, nil, refuse("the header claims a dimension of %d", d)
		}
		product *= uint64(d)
		dims = append(dims, int(d))
	}
	if uint64(len(values)) != product {
		return nil, nil, refuse("%d values follow, and the header claims %d", len(values), product)
	}
	return dims, values, nil
}
