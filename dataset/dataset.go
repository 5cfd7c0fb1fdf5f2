package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image"
	"iter"
	"math"
	"slices"
)

// Split is one part of a Set: N images of H x W RGB pixels with their labels. A part the source lacks has N = 0.
type Split struct {
	N, H, W int
	Pixels  []byte   // (N, H, W, 3), 0..255
	Labels  []uint16 // (N), index into Set.Classes
	Names   []string // (N) where the images have names (class folders), else nil
	Index   []int    // (N) their places in the source's split; nil where it is whole
	total   int      // images that split has, where Index is not nil
}

// Of is the number of images in the split that these were taken from.
func (s *Split) Of() int {
	if s.Index == nil {
		return s.N
	}
	return s.total
}

// Digest is the SHA-256, in hex, of the pixels.
func (s *Split) Digest() string {
	sum := sha256.Sum256(s.Pixels)
	return hex.EncodeToString(sum[:])
}

// Image returns the pixels of image i, (H, W, 3), sharing memory with the split.
func (s *Split) Image(i int) []byte {
	n := s.H * s.W * 3
	return s.Pixels[i*n : (i+1)*n : (i+1)*n]
}

// Picture is image i as the library draws images, a copy.
func (s *Split) Picture(i int) image.Image { return bytesImage(s.Image(i), s.H, s.W, 3) }

// Set is a labelled collection of images with its training and test parts, as its source divides them.
type Set struct {
	Name    string   // "cifar10", "fashion-mini", or the folder's or archive's name
	Classes []string // label names, in label order
	Train   Split
	Test    Split
	SHA256  string // of the decoded pixels and labels, train then test: two sources of the same images agree
	Lossy   string // what the user should know of the data's origin ("decoded from JPEG", "resized from 28x28 gray"), "" if nothing
}

// Limit returns n images spread evenly over the split: the middles of n equal stretches. Where the images lie class by class, as
// those of class folders and fashion-mini do, the classes keep their shares to within one image. n <= 0 or n >= N
// takes all of them and shares the split's memory.
func (s *Split) Limit(n int) Split {
	if n <= 0 || n >= s.N {
		return *s
	}
	return s.pick(spread(n, s.N))
}

// spread is the middles of n equal stretches of total places.
func spread(n, total int) []int {
	index := make([]int, n)
	for i := range index {
		index[i] = int((2*int64(i) + 1) * int64(total) / (2 * int64(n)))
	}
	return index
}

// Holdout divides Train into a part to learn from and a part of n images to choose by (stopping, learning rate, the
// best checkpoint), so that Test never chooses anything. Every class gives its share of n, by largest remainder; which of its images
// depends on the seed alone. Both parts are copies in the order of Train. n is brought into 0..Train.N.
func (s *Set) Holdout(seed uint64, n int) (train, val Split) {
	n = min(max(n, 0), s.Train.N)
	byClass := make([][]int, len(s.Classes))
	for i, label := range s.Train.Labels {
		byClass[label] = append(byClass[label], i)
	}

	// share is the whole part of n*count/N, rest the remainder that decides who gets the images left over.
	type quota struct{ class, share, rest int }
	quotas := make([]quota, len(byClass))
	left := n
	for c, members := range byClass {
		quotas[c] = quota{class: c}
		if total := int64(s.Train.N); total > 0 {
			product := int64(n) * int64(len(members))
			quotas[c].share, quotas[c].rest = int(product/total), int(product%total)
		}
		left -= quotas[c].share
	}
	slices.SortStableFunc(quotas, func(a, b quota) int { return cmp.Compare(b.rest, a.rest) })

	held := make([]bool, s.Train.N)
	for rank, q := range quotas {
		k := q.share
		if rank < left {
			k++
		}
		members := byClass[q.class]
		slices.SortFunc(members, func(a, b int) int {
			return cmp.Or(cmp.Compare(mix(seed, streamHoldout, uint64(a)), mix(seed, streamHoldout, uint64(b))), cmp.Compare(a, b))
		})
		for _, i := range members[:k] {
			held[i] = true
		}
	}

	learn, choose := make([]int, 0, s.Train.N-n), make([]int, 0, n)
	for i, h := range held {
		if h {
			choose = append(choose, i)
		} else {
			learn = append(learn, i)
		}
	}
	return s.Train.pick(learn), s.Train.pick(choose)
}

// pick copies the images of the given indices, in their order.
func (s *Split) pick(index []int) Split {
	size := s.H * s.W * 3
	out := Split{N: len(index), H: s.H, W: s.W, Pixels: make([]byte, len(index)*size), Labels: make([]uint16, len(index)),
		Index: make([]int, len(index)), total: s.Of()}
	if s.Names != nil {
		out.Names = make([]string, len(index))
	}
	for to, from := range index {
		copy(out.Pixels[to*size:], s.Image(from))
		out.Labels[to], out.Index[to] = s.Labels[from], from
		if s.Index != nil {
			out.Index[to] = s.Index[from]
		}
		if s.Names != nil {
			out.Names[to] = s.Names[from]
		}
	}
	return out
}

// MeanStd returns the mean and the standard deviation (of the population) of each channel over all pixels, in 0..255.
// The sums are integers, so the result is the same on every machine. An empty split gives zeros.
func (s *Split) MeanStd() (mean, std [3]float64) {
	if len(s.Pixels) == 0 {
		return mean, std
	}
	var sum, squares [3]uint64
	for i := 0; i+2 < len(s.Pixels); i += 3 {
		for c := range 3 {
			v := uint64(s.Pixels[i+c])
			sum[c] += v
			squares[c] += v * v
		}
	}
	n := float64(len(s.Pixels) / 3)
	for c := range 3 {
		mean[c] = float64(sum[c]) / n
		// The product is rounded before the difference, so that no machine fuses the two.
		std[c] = math.Sqrt(max(0, float64(squares[c])/n-float64(mean[c]*mean[c])))
	}
	return mean, std
}

// Batch is B images of one size.
type Batch struct {
	Index  int     // number of the batch in its epoch or split, from 0
	Pixels []byte  // (B, H, W, 3), 0..255
	Labels []int32 // (B)
}

// Batches yields the whole split in order, size images a batch, unchanged; the last batch holds what is left. A batch is the consumer's
// until it asks for the next one; Pixels may share memory with the split.
func (s *Split) Batches(size int) iter.Seq[*Batch] {
	return func(yield func(*Batch) bool) {
		if size < 1 {
			return
		}
		image := s.H * s.W * 3
		labels := make([]int32, min(size, s.N))
		b := new(Batch)
		for from := 0; from < s.N; from += size {
			n := min(size, s.N-from)
			*b = Batch{Index: from / size, Pixels: s.Pixels[from*image : (from+n)*image : (from+n)*image], Labels: labels[:n]}
			for i, label := range s.Labels[from : from+n] {
				b.Labels[i] = int32(label)
			}
			if !yield(b) {
				return
			}
		}
	}
}

// hash is the SHA-256, in hex, of train then test, each as N, H, W (uint64), the pixels and the labels (uint16), little-endian.
func (s *Set) hash() string {
	h := sha256.New()
	for _, p := range []*Split{&s.Train, &s.Test} {
		head := make([]byte, 0, 24+2*p.N)
		for _, v := range []int{p.N, p.H, p.W} {
			head = binary.LittleEndian.AppendUint64(head, uint64(v))
		}
		h.Write(head)
		h.Write(p.Pixels)
		labels := head[:0]
		for _, label := range p.Labels {
			labels = binary.LittleEndian.AppendUint16(labels, label)
		}
		h.Write(labels)
	}
	return hex.EncodeToString(h.Sum(nil))
}
