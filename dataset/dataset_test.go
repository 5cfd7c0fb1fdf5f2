package dataset

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
)

// numbered returns a split of n images of h x w whose every byte tells the image's index, with labels going round the classes.
func numbered(n, h, w, classes int) Split {
	s := Split{N: n, H: h, W: w, Pixels: make([]byte, n*h*w*3), Labels: make([]uint16, n), Names: make([]string, n)}
	for i := range n {
		for k := range h * w * 3 {
			s.Pixels[i*h*w*3+k] = byte(i ^ k*37)
		}
		s.Labels[i] = uint16(i % classes)
		s.Names[i] = fmt.Sprint(i)
	}
	return s
}

// byClass is numbered, sorted by class.
func byClass(n, classes int) Split {
	s := numbered(n, 1, 1, classes)
	slices.Sort(s.Labels)
	return s
}

func TestLimit(t *testing.T) {
	s := numbered(10, 2, 2, 3)
	for _, test := range []struct {
		n    int
		want []string
	}{
		{1, []string{"5"}},
		{2, []string{"2", "7"}},
		{4, []string{"1", "3", "6", "8"}},
		{5, []string{"1", "3", "5", "7", "9"}},
		{10, s.Names},
		{11, s.Names},
		{0, s.Names},
		{-1, s.Names},
	} {
		got := s.Limit(test.n)
		if !slices.Equal(got.Names, test.want) || got.N != len(test.want) {
			t.Errorf("Limit(%d) takes %v, want %v", test.n, got.Names, test.want)
		}
		for i := range got.N {
			from := slices.Index(s.Names, got.Names[i])
			if !bytes.Equal(got.Image(i), s.Image(from)) || got.Labels[i] != s.Labels[from] {
				t.Errorf("Limit(%d): image %d is not image %d of the split", test.n, i, from)
			}
		}
	}
}

func TestLimitKeepsBalance(t *testing.T) {
	s := byClass(5000, 10)
	for _, n := range []int{10, 37, 512, 1000, 4999} {
		part := s.Limit(n)
		var count [10]int
		for _, label := range part.Labels {
			count[label]++
		}
		if lo, hi := slices.Min(count[:]), slices.Max(count[:]); hi-lo > 1 {
			t.Errorf("Limit(%d): between %d and %d images a class", n, lo, hi)
		}
	}
}

func TestHoldout(t *testing.T) {
	for _, test := range []struct{ images, classes, n int }{
		{100, 10, 20}, {103, 7, 13}, {10, 3, 1}, {10, 3, 0}, {10, 3, 10}, {5, 8, 3},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			set := &Set{Classes: make([]string, test.classes), Train: numbered(test.images, 1, 2, test.classes)}
			train, val := set.Holdout(7, test.n)
			if val.N != test.n || train.N != test.images-test.n {
				t.Fatalf("%d + %d images, want %d + %d", train.N, val.N, test.images-test.n, test.n)
			}
			all := slices.Concat(train.Names, val.Names)
			slices.Sort(all)
			if len(slices.Compact(all)) != test.images {
				t.Error("the parts share an image or lose one")
			}
			counts, total := make([]int, test.classes), make([]int, test.classes)
			for i, label := range val.Labels {
				counts[label]++
				if from := slices.Index(set.Train.Names, val.Names[i]); set.Train.Labels[from] != label || !bytes.Equal(set.Train.Image(from), val.Image(i)) {
					t.Errorf("image %d is not the one its name says", i)
				}
			}
			for _, label := range set.Train.Labels {
				total[label]++
			}
			for c := range counts {
				share := float64(test.n*total[c]) / float64(test.images)
				if math.Abs(float64(counts[c])-share) >= 1 {
					t.Errorf("class %d gives %d of %d images, its share is %.2f", c, counts[c], total[c], share)
				}
			}
			_, again := set.Holdout(7, test.n)
			if !slices.Equal(again.Names, val.Names) {
				t.Error("the same seed holds out other images")
			}
		})
	}
}

func TestHoldoutSeed(t *testing.T) {
	set := &Set{Classes: make([]string, 10), Train: numbered(1000, 1, 1, 10), Test: numbered(50, 1, 1, 10)}
	before := set.Test
	_, a := set.Holdout(1, 200)
	_, b := set.Holdout(2, 200)
	same := 0
	for _, name := range a.Names {
		if slices.Contains(b.Names, name) {
			same++
		}
	}
	// Of two independent fifths a fifth is common: 40, with a standard deviation of about 5.
	if same < 15 || same > 65 {
		t.Errorf("seeds 1 and 2 have %d of 200 images in common", same)
	}
	if &before.Pixels[0] != &set.Test.Pixels[0] || set.Test.N != 50 {
		t.Error("Holdout touched Test")
	}
	if train, val := set.Holdout(1, 5000); train.N != 0 || val.N != 1000 {
		t.Errorf("Holdout of more than there are: %d + %d", train.N, val.N)
	}
}

func TestMeanStd(t *testing.T) {
	s := Split{N: 1, H: 1, W: 4, Pixels: []byte{0, 10, 255, 0, 10, 255, 4, 20, 255, 4, 20, 255}}
	mean, std := s.MeanStd()
	if mean != [3]float64{2, 15, 255} || std != [3]float64{2, 5, 0} {
		t.Errorf("mean %v, std %v", mean, std)
	}
	if mean, std := new(Split).MeanStd(); mean != [3]float64{} || std != [3]float64{} {
		t.Errorf("empty: mean %v, std %v", mean, std)
	}
}

func TestBatches(t *testing.T) {
	s := numbered(10, 2, 2, 3)
	for _, test := range []struct {
		size int
		want []int // images in each batch
	}{
		{4, []int{4, 4, 2}},
		{5, []int{5, 5}},
		{16, []int{10}},
		{0, nil},
	} {
		var got []int
		var pixels []byte
		var labels []int32
		for b := range s.Batches(test.size) {
			if b.Index != len(got) {
				t.Errorf("batch %d calls itself %d", len(got), b.Index)
			}
			got = append(got, len(b.Labels))
			if len(b.Pixels) != len(b.Labels)*12 {
				t.Errorf("%+v: batch %d has %d labels and %d bytes", test, b.Index, len(b.Labels), len(b.Pixels))
			}
			pixels = append(pixels, b.Pixels...)
			labels = append(labels, b.Labels...)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: batches of %v", test, got)
		}
		if test.size > 0 && !bytes.Equal(pixels, s.Pixels) {
			t.Errorf("%+v: the pixels are not the split's", test)
		}
		for i, label := range labels {
			if label != int32(s.Labels[i]) {
				t.Errorf("%+v: image %d has label %d", test, i, label)
			}
		}
	}
}

func TestHash(t *testing.T) {
	set := func() *Set { return &Set{Train: numbered(4, 2, 2, 2), Test: numbered(2, 2, 2, 2)} }
	plain := set().hash()
	for name, change := range map[string]func(*Set){
		"pixel": func(s *Set) { s.Train.Pixels[5]++ },
		"label": func(s *Set) { s.Test.Labels[1]++ },
		"shape": func(s *Set) { s.Train.H, s.Train.W = 4, 1 },
		"split": func(s *Set) { s.Train, s.Test = s.Test, s.Train },
	} {
		s := set()
		change(s)
		if s.hash() == plain {
			t.Errorf("another %s, the same hash", name)
		}
	}
	named := set()
	named.Name, named.Train.Names, named.Classes = "other", nil, []string{"a"}
	if named.hash() != plain {
		t.Error("names change the hash")
	}
}
