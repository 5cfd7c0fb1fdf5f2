package dataset

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"
)

// inClassFolder reports whether f lies where an image or a class folder of a split lies.
func inClassFolder(f file) bool {
	parts := strings.Split(f.path, "/")
	return (parts[0] == trainFolder || parts[0] == testFolder) && (len(parts) == 3 && !f.dir || len(parts) == 2 && f.dir)
}

// picture is an image of a class folder.
type picture struct {
	file
	class string
}

// openClasses reads SPLIT/CLASS/IMAGE. Classes are sorted by name, the images of a class by path. What lies beside the split
// folders is not looked at; inside them everything must be an image in a class folder.
func (s *source) openClasses(ctx context.Context, o Options) (*Set, error) {
	trainPics, trainClasses, err := s.pictures(trainFolder)
	if err != nil {
		return nil, err
	}
	testPics, testClasses, err := s.pictures(testFolder)
	if err != nil {
		return nil, err
	}
	set := &Set{Classes: trainClasses}
	switch {
	case len(trainClasses) == 0:
		set.Classes = testClasses
	case len(testClasses) > 0 && !slices.Equal(trainClasses, testClasses):
		return nil, classesDiffer(trainClasses, testClasses)
	}

	label := make(map[string]uint16, len(set.Classes))
	for i, class := range set.Classes {
		if i >= maxClasses {
			return nil, refuse("more than %d classes", i)
		}
		label[class] = uint16(i)
	}

	// One pass over both splits gives one progress bar, and the first bad image in one order.
	trainIndex, testIndex := wanted(len(trainPics), o.TrainLimit), wanted(len(testPics), o.TestLimit)
	trainTotal, testTotal := len(trainPics), len(testPics)
	trainPics, testPics = onlyPictures(trainPics, trainIndex), onlyPictures(testPics, testIndex)
	pics := append(trainPics, testPics...)
	if err := o.room(len(pics)); err != nil {
		return nil, err
	}
	all := Split{
		N: len(pics), H: o.Size, W: o.Size,
		Pixels: make([]byte, len(pics)*o.Size*o.Size*3), Labels: make([]uint16, len(pics)), Names: make([]string, len(pics)),
	}
	d := &decoder{limits: o.Limits.Image, size: o.Size, memory: semaphore.NewWeighted(o.Limits.Image.Memory)}
	err = each(ctx, all.N, o.Progress, func(i int) error {
		p := pics[i]
		all.Labels[i], all.Names[i] = label[p.class], p.path
		b, err := s.read(p.file, o.Limits.Image.Bytes)
		if err != nil {
			return err
		}
		if err := d.put(ctx, all.Image(i), b); err != nil {
			return within(strconv.Quote(p.path), err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	set.Train, set.Test = all.slice(0, len(trainPics)), all.slice(len(trainPics), all.N)
	set.Train.Index, set.Train.total = trainIndex, trainTotal
	set.Test.Index, set.Test.total = testIndex, testTotal
	set.Lossy = d.notes()
	return set, nil
}

// onlyPictures is those pictures; nil for all of them.
func onlyPictures(pics []picture, index []int) (some []picture) {
	if index == nil {
		return pics
	}
	for _, i := range index {
		some = append(some, pics[i])
	}
	return some
}

// pictures lists the images of a split, by class and path, and its classes, by name.
func (s *source) pictures(split string) (pics []picture, classes []string, err error) {
	count := make(map[string]int)
	for _, f := range s.files {
		if f.path == split && !f.dir { // which may lead nowhere
			if _, err := s.head(f, 1); err != nil {
				return nil, nil, err
			}
			return nil, nil, refuse("%q is no folder", f.path)
		}
		rest, ok := strings.CutPrefix(f.path, split+"/")
		if !ok {
			continue
		}
		class, name, deep := strings.Cut(rest, "/")
		switch {
		case !deep && f.dir:
			count[class] += 0 // a class even if it is empty
		case !deep:
			return nil, nil, refuse("%q lies outside the class folders", f.path)
		case f.dir || strings.Contains(name, "/"):
			return nil, nil, refuse("%q lies deeper than %s/CLASS/IMAGE", f.path, split)
		default:
			count[class]++
			pics = append(pics, picture{f, class})
		}
	}
	for class, n := range count {
		if n == 0 {
			return nil, nil, refuse("class folder %q is empty", split+"/"+class)
		}
		if err := checkClass(class); err != nil {
			return nil, nil, err
		}
		classes = append(classes, class)
	}
	slices.Sort(classes)
	// Sorted by whole path they already are, but "a-b/1" comes before "a/1" there.
	slices.SortStableFunc(pics, func(a, b picture) int { return strings.Compare(a.class, b.class) })
	return pics, classes, nil
}

// classesDiffer names the first class that one split has and the other lacks. Both lists are sorted.
func classesDiffer(train, test []string) error {
	for _, class := range test {
		if _, ok := slices.BinarySearch(train, class); !ok {
			return refuse("class %q of %s is missing in %s", class, testFolder, trainFolder)
		}
	}
	for _, class := range train {
		if _, ok := slices.BinarySearch(test, class); !ok {
			return refuse("class %q of %s is missing in %s", class, trainFolder, testFolder)
		}
	}
	return nil
}

// slice returns images from..to-1, sharing memory with s.
func (s *Split) slice(from, to int) Split {
	size := s.H * s.W * 3
	return Split{
		N: to - from, H: s.H, W: s.W,
		Pixels: s.Pixels[from*size : to*size : to*size],
		Labels: s.Labels[from:to:to],
		Names:  s.Names[from:to:to],
	}
}

// decoder brings pictures to size x size and gathers what Set.Lossy says of them. It serves many goroutines.
type decoder struct {
	limits ImageLimits
	size   int
	memory *semaphore.Weighted // however many are decoded at once, together they hold no more than one may

	mu      sync.Mutex
	formats map[string]bool
	sizes   map[[2]int]bool // other than the one wanted; two stand for many
}

// put decodes the picture in b to dst, (size, size, 3).
func (d *decoder) put(ctx context.Context, dst, b []byte) error {
	h, err := readHeader(b, d.limits)
	if err != nil {
		return inData(err)
	}
	if err := d.memory.Acquire(ctx, h.memory); err != nil {
		return err
	}
	defer d.memory.Release(h.memory)
	img, err := h.decode(b)
	if err != nil {
		return inData(err)
	}
	d.note(h.format.name, img.Bounds().Dx(), img.Bounds().Dy())
	fitRGB(dst, img, d.size, d.size)
	return nil
}

func (d *decoder) note(format string, w, h int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.formats == nil {
		d.formats, d.sizes = make(map[string]bool), make(map[[2]int]bool)
	}
	d.formats[format] = true
	if (w != d.size || h != d.size) && len(d.sizes) < 2 {
		d.sizes[[2]int{w, h}] = true
	}
}

// notes names the formats whose pixels need not be those that were once put in, and the sizes that were changed.
func (d *decoder) notes() string {
	var formats, notes []string
	for _, f := range formatTable {
		if f.lossy && d.formats[f.name] {
			formats = append(formats, f.name)
		}
	}
	if len(formats) > 0 {
		notes = append(notes, "decoded from "+strings.Join(formats, ", "))
	}
	if len(d.sizes) > 1 {
		notes = append(notes, "resized from several sizes")
	} else {
		for s := range d.sizes {
			notes = append(notes, fmt.Sprintf("resized from %dx%d", s[0], s[1]))
		}
	}
	return strings.Join(notes, "; ")
}
