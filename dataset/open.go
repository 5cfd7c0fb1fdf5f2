package dataset

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// Options says how Open reads a data set. The zero value is fit for CIFAR-10 and nets of 32 x 32 pixels.
type Options struct {
	Size   int // height and width wanted, pixels, 1..1024; 0 stands for 32
	Limits Limits

	// TrainLimit and TestLimit say how many images of a split are wanted, spread evenly as by Split.Limit: 0 all, less than 0
	// none. No others are decoded.
	TrainLimit, TestLimit int

	// Progress, if set, is told how far the present step is: bytes of a download, then images decoded. Calls never overlap; done
	// falls back, and total changes, when a step begins. A download of unknown length has total = -1.
	Progress func(done, total int)
}

// Folders of the splits, in a data set of class folders.
const (
	trainFolder = "train"
	testFolder  = "test"
)

// Names are the sets that Open knows by name; any other is a path.
var Names = []string{cifarName, BuiltIn}

// Open reads the data set named by data: "fashion-mini", "cifar10", or the path of a folder or archive (the package comment lists
// what it may hold; write ./cifar10 for a folder of that name). Images that are not Size x Size are resized by ToRGB,
// but for 28 x 28 gray at Size 32, which is placed in the middle.
//
// A source may lack one of the splits, which then is empty. If it has both, they agree on the classes. An error wraps ErrData
// if the data or its name is to blame, and an fs error where there is one.
func Open(ctx context.Context, data string, o Options) (*Set, error) {
	if o.Size == 0 {
		o.Size = 32
	}
	if o.Size < 1 || o.Size > 1024 {
		return nil, refuse("images of %d pixels a side asked for, 1 to 1024 possible", o.Size)
	}
	o.Limits = o.Limits.withDefaults()

	var set *Set
	var err error
	switch data {
	case "":
		err = refuse("no name or path given")
	case BuiltIn:
		set, err = openFashion(ctx, o)
	case cifarName:
		set, err = openCache(ctx, o)
	default:
		set, err = openPath(ctx, data, o)
	}
	if err != nil {
		return nil, err
	}
	if err := set.check(o.TrainLimit != 0); err != nil {
		return nil, within(data, err)
	}
	set.SHA256 = set.hash()
	return set, nil
}

func openPath(ctx context.Context, name string, o Options) (*Set, error) {
	s, err := openSource(ctx, name, o.Limits)
	if err != nil {
		return nil, err
	}
	defer s.close()
	set, err := s.set(ctx, o)
	if err != nil {
		return nil, within(name, err)
	}
	base := filepath.Base(filepath.Clean(name))
	if abs, err := filepath.Abs(name); err == nil {
		base = filepath.Base(abs) // a name even for "."
	}
	for _, ext := range []string{".zip", ".gz", ".tgz", ".tar"} {
		base = strings.TrimSuffix(base, ext)
	}
	set.Name = base
	return set, nil
}

// set reads the source as the first format it shows signs of.
func (s *source) set(ctx context.Context, o Options) (*Set, error) {
	if slices.ContainsFunc(s.files, inClassFolder) {
		return s.openClasses(ctx, o)
	}
	if slices.ContainsFunc(s.files, isCIFAR) {
		return s.openCIFAR(ctx, o)
	}
	if idx, err := s.findIDX(); err != nil || len(idx) > 0 {
		if err != nil {
			return nil, err
		}
		return s.openIDX(ctx, idx, o)
	}
	return nil, refuse("holds neither %s/CLASS/IMAGE nor %s/CLASS/IMAGE, nor CIFAR-10's binary files, nor IDX files",
		trainFolder, testFolder)
}

// check holds the set to what the rest of the program may rely on; limited says that only some training images were read.
func (s *Set) check(limited bool) error {
	if s.Train.Of()+s.Test.Of() == 0 {
		return refuse("no images")
	}
	if len(s.Classes) > maxClasses {
		return refuse("%d classes, more than %d", len(s.Classes), maxClasses)
	}
	train, err := s.count(&s.Train)
	if err != nil {
		return within("training labels", err)
	}
	test, err := s.count(&s.Test)
	if err != nil {
		return within("test labels", err)
	}
	for class, n := range test {
		if n > 0 && train[class] == 0 && s.Train.N > 0 && !limited {
			return refuse("class %q has test images and no training images", s.Classes[class])
		}
	}
	return nil
}

// count returns how many images each class has.
func (s *Set) count(p *Split) ([]int, error) {
	n := make([]int, len(s.Classes))
	for i, label := range p.Labels {
		if int(label) >= len(n) {
			return nil, refuse("image %d has label %d, and there are %d classes", i, label, len(n))
		}
		n[label]++
	}
	return n, nil
}

// maxClasses is how many labels a uint16 tells apart.
const maxClasses = math.MaxUint16 + 1

// parseClasses reads class names, one a line, in label order. A mark of UTF-8 may stand before them and blank lines behind; a name may not be
// blank, double or unprintable.
func parseClasses(b []byte) ([]string, error) {
	if !utf8.Valid(b) {
		return nil, refuse("class names are not UTF-8")
	}
	text := strings.TrimRight(strings.TrimPrefix(string(b), "\ufeff"), "\r\n")
	if n := strings.Count(text, "\n") + 1; n > maxClasses {
		return nil, refuse("%d class names, more than %d", n, maxClasses)
	}
	lines, seen := strings.Split(text, "\n"), map[string]bool{}
	for i, name := range lines {
		name = strings.TrimSuffix(name, "\r")
		if err := checkClass(name); err != nil {
			return nil, within(fmt.Sprintf("line %d", i+1), err)
		}
		if seen[name] {
			return nil, refuse("line %d: class %q is listed twice", i+1, name)
		}
		lines[i], seen[name] = name, true
	}
	return lines, nil
}

func checkClass(name string) error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if strings.TrimSpace(name) == "" || strings.ContainsFunc(name, unprintable) || len(name) > 200 {
		return refuse("%.60q is no name for a class", name)
	}
	return nil
}

// raw is a split as its source has it: n images of h x w pixels of c bytes, gray (c = 1) or R, G, B (c = 3).
type raw struct {
	n, h, w, c int
	pixels     []byte // (n, h, w, c)
	labels     []uint16
}

// fill makes the splits of what the source has of them, as far as it is wanted; an empty one has no images.
func (s *Set) fill(ctx context.Context, o Options, train, test raw) error {
	trainIndex, testIndex := wanted(train.n, o.TrainLimit), wanted(test.n, o.TestLimit)
	trainWanted, testWanted := train.only(trainIndex), test.only(testIndex)
	if err := o.room(trainWanted.n + testWanted.n); err != nil {
		return err
	}
	for _, part := range []struct {
		to    *Split
		r     raw
		index []int
		total int
	}{{&s.Train, trainWanted, trainIndex, train.n}, {&s.Test, testWanted, testIndex, test.n}} {
		split, note, err := part.r.rgb(ctx, o)
		if err != nil {
			return err
		}
		split.Index, split.total = part.index, part.total
		if *part.to = split; part.total > 0 {
			s.Lossy = note
		}
	}
	return nil
}

// wanted is which of n images Options.TrainLimit or TestLimit asks for; nil for all of them.
func wanted(n, limit int) []int {
	switch {
	case limit < 0:
		return []int{}
	case limit == 0 || limit >= n:
		return nil
	}
	return spread(limit, n)
}

// only is those images of r; nil for all of them, which share its memory.
func (r raw) only(index []int) raw {
	if index == nil {
		return r
	}
	size := r.h * r.w * r.c
	some := r
	some.n, some.pixels, some.labels = len(index), make([]byte, 0, len(index)*size), make([]uint16, 0, len(index))
	for _, i := range index {
		some.pixels = append(some.pixels, r.pixels[i*size:(i+1)*size]...)
		some.labels = append(some.labels, r.labels[i])
	}
	return some
}

// rgb brings the images to size x size RGB and says what was done to them.
func (r raw) rgb(ctx context.Context, o Options) (Split, string, error) {
	out := Split{N: r.n, H: o.Size, W: o.Size, Labels: r.labels}
	if r.c == 3 && r.h == o.Size && r.w == o.Size {
		out.Pixels = r.pixels
		return out, "", nil
	}
	out.Pixels = make([]byte, r.n*o.Size*o.Size*3)
	kind := fmt.Sprintf("%dx%d", r.w, r.h)
	if r.c == 1 {
		kind += " gray"
	}
	note, put := "resized from "+kind, func(dst, src []byte) { fitRGB(dst, bytesImage(src, r.h, r.w, r.c), o.Size, o.Size) }
	switch {
	case r.h == o.Size && r.w == o.Size:
		note, put = kind+" as RGB", func(dst, src []byte) { place(dst, src, r.h, r.w, o.Size) }
	case r.c == 1 && r.h == 28 && r.w == 28 && o.Size == 32:
		note, put = kind+" placed in 32x32 RGB", func(dst, src []byte) { place(dst, src, r.h, r.w, o.Size) }
	}
	in, to := r.h*r.w*r.c, o.Size*o.Size*3
	err := each(ctx, r.n, o.Progress, func(i int) error {
		put(out.Pixels[i*to:(i+1)*to], r.pixels[i*in:(i+1)*in])
		return nil
	})
	return out, note, err
}

// place copies a gray image of (h, w) to the middle of dst, (size, size, 3), each value to the three channels. Round it stays 0: the
// background of the MNIST family, so that nothing tells the frame from the picture.
func place(dst, src []byte, h, w, size int) {
	top, left := (size-h)/2, (size-w)/2
	for y := range h {
		row := dst[((top+y)*size+left)*3:]
		for x, v := range src[y*w : (y+1)*w] {
			row[3*x], row[3*x+1], row[3*x+2] = v, v, v
		}
	}
}

// room holds n decoded images, which are all of the set's, to the limits.
func (o Options) room(n int) error {
	if int64(n) > o.Limits.Bytes/int64(o.Size*o.Size*3) {
		return refuse("%d images of %dx%d take more than %d bytes", n, o.Size, o.Size, o.Limits.Bytes)
	}
	return nil
}

// each calls f for 0..n-1 on all processors. The error is that of the lowest index that fails: indices are handed out in
// order, and every one handed out is seen through.
func each(ctx context.Context, n int, progress func(done, total int), f func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	var mu sync.Mutex // for what follows, and for progress
	var first error
	at, done := n, 0

	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			for !failed.Load() && ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				err := f(i)
				mu.Lock()
				if err != nil {
					failed.Store(true)
					if i < at {
						first, at = err, i
					}
				}
				done++
				if progress != nil && (done%256 == 0 || done == n) {
					progress(done, n)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return cmp.Or(first, ctx.Err())
}
