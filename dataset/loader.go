package dataset

import (
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Flip says which training images are mirrored left to right.
type Flip uint8

const (
	FlipNone        Flip = iota
	FlipRandom           // each image of each epoch by its own coin
	FlipAlternating      // a coin for epoch 0, then the other way every epoch, so that two epochs in a row show both sides
)

// LoaderOptions says how a Loader makes batches. The zero value of everything but Batch leaves the images as they are.
type LoaderOptions struct {
	Batch     int     // images a batch, 1..N
	Pad       int     // pixels put round the image before a crop of its own size is taken from it at random; 4 is usual for 32x32
	Fill      [3]byte // R, G, B of those pixels: the mean pixel, so that they are zero once normalized
	Mirror    bool    // those pixels are the image's own instead, mirrored at its edges
	Flip      Flip
	Cutout    int     // side of a square of Fill laid over each image, pixels: its middle is any pixel, what lies outside is lost; 0: none
	Mix       float64 // share of the batches in which each image has up to half of the next one mixed into it, 0..1; its label stays
	Patch     float64 // share of the batches, others than those, in which a rectangle of the next image lies over up to half of each one; the label stays
	PatchFrom int     // first epoch with such batches
	Seed      uint64
	Workers   int // goroutines that make batches; 0 stands for up to 4, never more than the processors
}

// A Loader makes shuffled, augmented batches of a split on goroutines of its own while the training step runs. The order of the
// images depends on the seed and the epoch, the crop, flip and cut-out square of an image on the seed, the epoch and the image's
// index in the split, what is mixed on the seed, the epoch and the place in it, and nothing on the number of workers or on timing.
type Loader struct {
	split *Split
	o     LoaderOptions
	wait  atomic.Int64 // ns
}

// NewLoader returns a loader over s, which must not change while it is used.
func NewLoader(s *Split, o LoaderOptions) (*Loader, error) {
	switch {
	case o.Batch < 1:
		return nil, fmt.Errorf("dataset: batch of %d images", o.Batch)
	case o.Batch > s.N:
		return nil, fmt.Errorf("dataset: a batch of %d images from a split of %d", o.Batch, s.N)
	case s.N > math.MaxInt32:
		return nil, fmt.Errorf("dataset: a split of %d images is more than a loader can count", s.N)
	case o.Pad < 0 || o.Pad > max(s.H, s.W):
		return nil, fmt.Errorf("dataset: padding of %d pixels for images of %dx%d", o.Pad, s.W, s.H)
	case o.Mirror && o.Pad > min(s.H, s.W):
		return nil, fmt.Errorf("dataset: %d mirrored pixels around images of %dx%d", o.Pad, s.W, s.H)
	case o.Cutout < 0:
		return nil, fmt.Errorf("dataset: a cut-out square of %d pixels", o.Cutout)
	case o.Cutout > 0 && o.Cutout >= 2*max(s.H, s.W)-1:
		return nil, fmt.Errorf("dataset: a cut-out square of %d pixels covers all of an image of %dx%d wherever it lies", o.Cutout, s.W, s.H)
	case !(o.Mix >= 0 && o.Mix <= 1):
		return nil, fmt.Errorf("dataset: images mixed in a share of %v of the batches", o.Mix)
	case !(o.Patch >= 0 && o.Mix+o.Patch <= 1):
		return nil, fmt.Errorf("dataset: patches in a share of %v of the batches, mixtures in %v", o.Patch, o.Mix)
	case o.Flip > FlipAlternating:
		return nil, fmt.Errorf("dataset: flip mode %d", o.Flip)
	}
	if procs := runtime.GOMAXPROCS(0); o.Workers < 1 {
		o.Workers = min(4, procs)
	}
	return &Loader{split: s, o: o}, nil
}

// Batches returns the number of batches an epoch has. Images that do not fill a last batch are left out of the epoch; since
// the order is another one each epoch, they are other images each time.
func (l *Loader) Batches() int { return l.split.N / l.o.Batch }

// Wait returns how long consumers have stood waiting for an epoch to be laid out or for a batch, over the loader's life. Near zero
// means that the augmentation keeps up with the training step.
func (l *Loader) Wait() time.Duration { return time.Duration(l.wait.Load()) }

// slot is one batch of the ring: free when the consumer is done with it, ready when a worker has filled it.
type slot struct {
	batch       Batch
	free, ready chan struct{}
}

// Epoch yields the batches of an epoch (numbered from 0) from batch from on. A batch is the consumer's until it asks for the next
// one, which hands the buffers back. Workers run only while the sequence is being consumed and have ended when it ends. Several
// epochs may be consumed at once: each has its own buffers, made once an epoch.
func (l *Loader) Epoch(epoch, from int) iter.Seq[*Batch] {
	return func(yield func(*Batch) bool) {
		from, end := max(from, 0), l.Batches()
		if from >= end {
			return
		}
		start := time.Now()
		order := permutation(l.o.Seed, epoch, l.split.N)
		workers := min(l.o.Workers, end-from)
		// Worker w makes batches from+w, from+w+workers, … A ring that is a multiple of the workers gives each slot to one
		// worker only, which fills it in order.
		ring := make([]slot, max(workers*2, (4+workers-1)/workers*workers))
		for i := range ring {
			ring[i] = l.newSlot()
		}

		l.wait.Add(int64(time.Since(start)))

		stop := make(chan struct{})
		var group sync.WaitGroup
		defer group.Wait()
		defer close(stop)
		for w := range workers {
			group.Go(func() {
				for b := from + w; b < end; b += workers {
					s := &ring[(b-from)%len(ring)]
					select {
					case <-s.free:
					case <-stop:
						return
					}
					l.fill(&s.batch, epoch, b, order)
					s.ready <- struct{}{}
				}
			})
		}

		for b := from; b < end; b++ {
			s := &ring[(b-from)%len(ring)]
			l.await(s.ready)
			if !yield(&s.batch) {
				return
			}
			s.free <- struct{}{}
		}
	}
}

func (l *Loader) newSlot() slot {
	s := slot{free: make(chan struct{}, 1), ready: make(chan struct{}, 1)}
	s.batch.Pixels = make([]byte, l.o.Batch*l.split.H*l.split.W*3)
	s.batch.Labels = make([]int32, l.o.Batch)
	s.free <- struct{}{}
	return s
}

// await receives from ready and counts the time where it has to stand still for it.
func (l *Loader) await(ready <-chan struct{}) {
	select {
	case <-ready:
		return
	default:
	}
	start := time.Now()
	<-ready
	l.wait.Add(int64(time.Since(start)))
}

// fill makes batch number index of the epoch.
func (l *Loader) fill(b *Batch, epoch, index int, order []int32) {
	b.Index = index
	size := l.split.H * l.split.W * 3
	for k, i := range order[index*l.o.Batch : (index+1)*l.o.Batch] {
		dy, dx, flip := l.o.augment(epoch, int(i))
		cropFlip(b.Pixels[k*size:(k+1)*size], l.split.Image(int(i)), l.split.H, l.split.W, dy, dx, flip, l.o.edge())
		if l.o.Cutout > 0 {
			l.cut(b.Pixels[k*size:(k+1)*size], epoch, int(i))
		}
		b.Labels[k] = int32(l.split.Labels[i])
	}
	switch coin := mix(l.o.Seed, streamMix, uint64(epoch), uint64(index), 0); {
	case chance(coin, l.o.Mix):
		l.withNext(b, epoch, index, blend)
	case epoch >= l.o.PatchFrom && chance(coin, l.o.Mix+l.o.Patch):
		l.withNext(b, epoch, index, l.patch)
	}
}

// withNext changes each image of the batch by what lies next to it, the first one after the last, and by a hash of its own.
func (l *Loader) withNext(b *Batch, epoch, index int, change func(own, next []byte, h uint64)) {
	n := len(b.Labels)
	size := len(b.Pixels) / n
	first := slices.Clone(b.Pixels[:size])
	for k := range n {
		next := first
		if k+1 < n {
			next = b.Pixels[(k+1)*size : (k+2)*size]
		}
		change(b.Pixels[k*size:(k+1)*size], next, mix(l.o.Seed, streamMix, uint64(epoch), uint64(index), uint64(k)+1))
	}
}

// blend mixes a share of next into own: Zhang et al., "mixup: beyond empirical risk minimization", 2018, without the labels. Shares are in
// units of 1/256, uniform below a half.
func blend(own, next []byte, h uint64) {
	share := below(h, 128)
	for i, p := range own {
		own[i] = byte((int(p)*(256-share) + int(next[i])*share + 128) >> 8)
	}
}

// patch lays a rectangle of next over own, anywhere in it: Yun et al., "CutMix: regularization strategy to train strong classifiers with
// localizable features", 2019, without the labels. It has the image's shape and a share of its area, in units of 1/256, uniform below a half.
func (l *Loader) patch(own, next []byte, h uint64) {
	side := math.Sqrt(float64(below(h, 128)) / 256)
	rows, columns := int(math.Round(side*float64(l.split.H))), int(math.Round(side*float64(l.split.W)))
	top, left := below(mix(h, 0), l.split.H-rows+1), below(mix(h, 1), l.split.W-columns+1)
	for y := top; y < top+rows; y++ {
		from, to := (y*l.split.W+left)*3, (y*l.split.W+left+columns)*3
		copy(own[from:to], next[from:to])
	}
}

// chance is whether the hash h falls into a share p of all hashes.
func chance(h uint64, p float64) bool { return float64(h>>11)/(1<<53) < p }

// augment returns what happens to an image: the offset of the crop from the image's own corner, -Pad..Pad each way, and the flip.
func (o *LoaderOptions) augment(epoch, image int) (dy, dx int, flip bool) {
	if o.Pad > 0 {
		dy = below(mix(o.Seed, streamCrop, uint64(epoch), uint64(image), 0), 2*o.Pad+1) - o.Pad
		dx = below(mix(o.Seed, streamCrop, uint64(epoch), uint64(image), 1), 2*o.Pad+1) - o.Pad
	}
	switch o.Flip {
	case FlipRandom:
		flip = mix(o.Seed, streamFlip, uint64(epoch), uint64(image))&1 == 1
	case FlipAlternating:
		flip = (mix(o.Seed, streamFlip, uint64(image))+uint64(epoch))&1 == 1
	}
	return dy, dx, flip
}

// edge is what lies around an image: a color, or nil for the image itself, mirrored.
func (o *LoaderOptions) edge() *[3]byte {
	if o.Mirror {
		return nil
	}
	return &o.Fill
}

// cropFlip writes to dst the window of src that lies dy down and dx right of src's own place, both (h, w, 3), then mirrors it left
// to right if flip is set. What lies outside src is fill, or without one src itself, mirrored at its edges.
func cropFlip(dst, src []byte, h, w, dy, dx int, flip bool, fill *[3]byte) {
	left, right := min(max(0, -dx), w), max(min(w, w-dx), 0) // columns of dst, before the flip, that lie in src
	for y := range h {
		row, from := dst[y*w*3:(y+1)*w*3], y+dy
		if fill == nil {
			from = mirrored(from, h)
		}
		if from < 0 || from >= h {
			paint(row, *fill)
			continue
		}
		line := src[from*w*3 : (from+1)*w*3]
		if left < right {
			copy(row[left*3:right*3], line[(left+dx)*3:])
		}
		if fill != nil {
			paint(row[:left*3], *fill)
			paint(row[right*3:], *fill)
		} else {
			reflect(row[:left*3], line, dx)
			reflect(row[right*3:], line, right+dx)
		}
		if flip {
			MirrorRow(row)
		}
	}
}

// MirrorRow turns a row of pixels (W, 3) round.
func MirrorRow(row []byte) {
	for a, b := 0, len(row)-3; a < b; a, b = a+3, b-3 {
		row[a], row[a+1], row[a+2], row[b], row[b+1], row[b+2] = row[b], row[b+1], row[b+2], row[a], row[a+1], row[a+2]
	}
}

// reflect fills part of a row with the pixels of line from column x on, which lie outside it.
func reflect(part, line []byte, x int) {
	for i := range len(part) / 3 {
		copy(part[i*3:(i+1)*3], line[mirrored(x+i, len(line)/3)*3:])
	}
}

// mirrored is where i, -n..2n-1, comes to lie among 0..n-1 when what is outside is mirrored at the edges.
func mirrored(i, n int) int {
	switch {
	case i < 0:
		return -1 - i
	case i >= n:
		return 2*n - 1 - i
	}
	return i
}

// cut lays the square over pixels, an augmented image: DeVries and Taylor, "Improved regularization of convolutional neural networks
// with cutout", 2017.
func (l *Loader) cut(pixels []byte, epoch, image int) {
	h, w := l.split.H, l.split.W
	top := below(mix(l.o.Seed, streamCutout, uint64(epoch), uint64(image), 0), h) - l.o.Cutout/2
	left := below(mix(l.o.Seed, streamCutout, uint64(epoch), uint64(image), 1), w) - l.o.Cutout/2
	for y := max(0, top); y < min(h, top+l.o.Cutout); y++ {
		paint(pixels[(y*w+max(0, left))*3:(y*w+min(w, left+l.o.Cutout))*3], l.o.Fill)
	}
}

func paint(row []byte, c [3]byte) {
	for i := 0; i+2 < len(row); i += 3 {
		row[i], row[i+1], row[i+2] = c[0], c[1], c[2]
	}
}
