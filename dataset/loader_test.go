package dataset

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// epoch collects copies of the batches an epoch gives from batch from on.
func epoch(t *testing.T, l *Loader, e, from int) []Batch {
	t.Helper()
	var all []Batch
	for b := range l.Epoch(e, from) {
		if b.Index != max(from, 0)+len(all) {
			t.Fatalf("batch %d came where %d was due", b.Index, from+len(all))
		}
		all = append(all, Batch{b.Index, slices.Clone(b.Pixels), slices.Clone(b.Labels)})
	}
	return all
}

func sameBatches(a, b []Batch) bool {
	return slices.EqualFunc(a, b, func(x, y Batch) bool {
		return x.Index == y.Index && bytes.Equal(x.Pixels, y.Pixels) && slices.Equal(x.Labels, y.Labels)
	})
}

func newLoader(t *testing.T, s *Split, o LoaderOptions) *Loader {
	t.Helper()
	l, err := NewLoader(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLoaderOrderIndependentOfWorkers(t *testing.T) {
	s := numbered(230, 8, 8, 10)
	o := LoaderOptions{Batch: 16, Pad: 2, Fill: [3]byte{9, 8, 7}, Flip: FlipRandom, Cutout: 3, Mix: 0.5, Patch: 0.3, Seed: 3, Workers: 1}
	want := epoch(t, newLoader(t, &s, o), 5, 0)
	if len(want) != 14 {
		t.Fatalf("%d batches of 16 from 230 images", len(want))
	}
	for _, procs := range []int{1, 4} {
		for _, workers := range []int{0, 1, 2, 3, 7, 50} {
			t.Run(fmt.Sprintf("procs=%d,workers=%d", procs, workers), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				o.Workers = workers
				l := newLoader(t, &s, o)
				if !sameBatches(epoch(t, l, 5, 0), want) {
					t.Error("other batches than with one worker")
				}
				if sameBatches(epoch(t, l, 6, 0), want) {
					t.Error("epoch 6 is epoch 5")
				}
			})
		}
	}
}

func TestLoaderResume(t *testing.T) {
	s := numbered(100, 4, 4, 10)
	l := newLoader(t, &s, LoaderOptions{Batch: 7, Pad: 1, Flip: FlipAlternating, Seed: 1, Workers: 3})
	whole := epoch(t, l, 2, 0)
	for from := -1; from <= len(whole)+1; from++ {
		if got := epoch(t, l, 2, from); !sameBatches(got, whole[min(max(from, 0), len(whole)):]) {
			t.Errorf("from batch %d on, the epoch is another", from)
		}
	}
}

func TestLoaderEpochShowsEachImageOnce(t *testing.T) {
	s := numbered(103, 2, 3, 5)
	l := newLoader(t, &s, LoaderOptions{Batch: 10, Seed: 4})
	left := make(map[string]bool) // over the epochs, the images that were left out
	for e := range 4 {
		seen := make(map[int]bool)
		for _, b := range epoch(t, l, e, 0) {
			for k := range b.Labels {
				pixels := b.Pixels[k*18 : (k+1)*18]
				i := slices.IndexFunc(s.Names, func(name string) bool { return bytes.Equal(s.Image(slices.Index(s.Names, name)), pixels) })
				if i < 0 || int32(s.Labels[i]) != b.Labels[k] {
					t.Fatalf("epoch %d, batch %d: image %d is none of the split, or has another's label", e, b.Index, k)
				}
				if seen[i] {
					t.Errorf("epoch %d shows image %d twice", e, i)
				}
				seen[i] = true
			}
		}
		if len(seen) != 100 {
			t.Errorf("epoch %d shows %d images", e, len(seen))
		}
		for i, name := range s.Names {
			if !seen[i] {
				left[name] = true
			}
		}
	}
	if len(left) <= 3 {
		t.Errorf("every epoch leaves the same images out: %v", left)
	}
}

func TestLoaderStopsEarly(t *testing.T) {
	s := numbered(640, 4, 4, 10)
	l := newLoader(t, &s, LoaderOptions{Batch: 8, Pad: 1, Workers: 4})
	before := runtime.NumGoroutine()
	for range 20 {
		for b := range l.Epoch(0, 0) {
			if b.Index == 3 {
				break
			}
		}
	}
	// A goroutine that has done its work may take a moment to be gone.
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func TestLoaderAllocatesByEpoch(t *testing.T) {
	s := numbered(640, 8, 8, 10)
	l := newLoader(t, &s, LoaderOptions{Batch: 8, Pad: 1, Flip: FlipRandom, Workers: 2})
	allocs := func(from int) float64 {
		return testing.AllocsPerRun(20, func() {
			for range l.Epoch(0, from) {
			}
		})
	}
	if short, long := allocs(70), allocs(0); long-short > 5 {
		t.Errorf("%.0f allocations for 10 batches, %.0f for 80", short, long)
	}
}

func TestLoaderWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(8, 2, 2, 2)
		l := newLoader(t, &s, LoaderOptions{Batch: 8})
		ready := make(chan struct{}, 1)
		ready <- struct{}{}
		l.await(ready)
		if l.Wait() != 0 {
			t.Errorf("waited %v for what was there", l.Wait())
		}
		time.AfterFunc(5*time.Millisecond, func() { ready <- struct{}{} })
		l.await(ready)
		if l.Wait() != 5*time.Millisecond {
			t.Errorf("waited %v, want 5 ms", l.Wait())
		}
	})
}

func TestNewLoaderRefuses(t *testing.T) {
	s := numbered(8, 2, 2, 2)
	for name, o := range map[string]LoaderOptions{
		"no batch":          {},
		"batch too large":   {Batch: 9},
		"negative padding":  {Batch: 1, Pad: -1},
		"huge padding":      {Batch: 1, Pad: 3},
		"unknown flip":      {Batch: 1, Flip: 9},
		"negative cut":      {Batch: 1, Cutout: -1},
		"nothing left":      {Batch: 1, Cutout: 3},
		"negative mix":      {Batch: 1, Mix: -0.1},
		"no such mirror":    {Batch: 1, Mirror: true, Pad: min(s.H, s.W) + 1},
		"more than all":     {Batch: 1, Mix: 1.1},
		"no number":         {Batch: 1, Mix: math.NaN()},
		"negative patch":    {Batch: 1, Patch: -0.1},
		"together too many": {Batch: 1, Mix: 0.5, Patch: 0.6},
		"no patch's number": {Batch: 1, Patch: math.NaN()},
	} {
		if _, err := NewLoader(&s, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The same with mirrored edges: of a row 0 1 2 3 the window from -4 on is 3 2 1 0, that from 2 on 2 3 3 2.
func TestCropMirrored(t *testing.T) {
	const h, w = 3, 4
	s := numbered(1, h, w, 1)
	rows := []int{2, 1, 0, 0, 1, 2, 2, 1, 0}
	columns := []int{3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0}
	for dy := -h; dy <= h; dy++ {
		for dx := -w; dx <= w; dx++ {
			for _, flip := range []bool{false, true} {
				got := bytes.Repeat([]byte{99}, h*w*3)
				cropFlip(got, s.Pixels, h, w, dy, dx, flip, nil)
				for y := range h {
					for x := range w {
						at := x
						if flip {
							at = w - 1 - x
						}
						want := s.Pixels[(rows[h+dy+y]*w+columns[w+dx+x])*3:][:3]
						if !bytes.Equal(got[(y*w+at)*3:][:3], want) {
							t.Fatalf("dy=%d dx=%d flip=%v: pixel %d,%d is %v, want %v", dy, dx, flip, y, at, got[(y*w+at)*3:][:3], want)
						}
					}
				}
			}
		}
	}
}

// The reference of cropFlip: pixel by pixel.
func TestCropFlip(t *testing.T) {
	const h, w = 3, 4
	s := numbered(1, h, w, 1)
	fill := [3]byte{200, 201, 202}
	for dy := -h - 1; dy <= h+1; dy++ {
		for dx := -w - 1; dx <= w+1; dx++ {
			for _, flip := range []bool{false, true} {
				got := bytes.Repeat([]byte{99}, h*w*3)
				cropFlip(got, s.Pixels, h, w, dy, dx, flip, &fill)
				for y := range h {
					for x := range w {
						want := fill[:]
						if sy, sx := y+dy, x+dx; sy >= 0 && sy < h && sx >= 0 && sx < w {
							want = s.Pixels[(sy*w+sx)*3:][:3]
						}
						at := x
						if flip {
							at = w - 1 - x
						}
						if !bytes.Equal(got[(y*w+at)*3:][:3], want) {
							t.Fatalf("dy=%d dx=%d flip=%v: pixel %d,%d is %v, want %v", dy, dx, flip, y, at, got[(y*w+at)*3:][:3], want)
						}
					}
				}
			}
		}
	}
}

// A mixed batch has in each image a share of the next one, less than half of it and another share for each; about as many batches are mixed
// as are to be, and the rest of a batch is as without.
func TestMix(t *testing.T) {
	const n, batch, size = 1600, 8, 4 * 4 * 3
	s := numbered(n, 4, 4, 10)
	plain := epoch(t, newLoader(t, &s, LoaderOptions{Batch: batch, Pad: 1, Flip: FlipRandom, Seed: 5}), 3, 0)
	mixed := epoch(t, newLoader(t, &s, LoaderOptions{Batch: batch, Pad: 1, Flip: FlipRandom, Seed: 5, Mix: 0.3}), 3, 0)
	count, shares := 0, map[int]bool{}
	for i, b := range mixed {
		if !slices.Equal(b.Labels, plain[i].Labels) {
			t.Fatalf("batch %d: other labels", i)
		}
		if bytes.Equal(b.Pixels, plain[i].Pixels) {
			continue
		}
		count++
		image := func(b Batch, k int) []byte { return b.Pixels[k%batch*size : (k%batch+1)*size] }
		for k := range batch {
			own, next := image(plain[i], k), image(plain[i], k+1)
			share := 0
			for ; share < 128; share++ {
				blended := make([]byte, size)
				for j := range blended {
					blended[j] = byte(math.Round((float64(own[j])*float64(256-share) + float64(next[j])*float64(share)) / 256))
				}
				if bytes.Equal(blended, image(b, k)) {
					shares[share] = true
					break
				}
			}
			if share == 128 {
				t.Fatalf("batch %d: image %d is no mixture of itself and the next", i, k)
			}
		}
	}
	if share := float64(count) / float64(len(mixed)); share < 0.2 || share > 0.4 {
		t.Errorf("%d of %d batches are mixed, want three of ten", count, len(mixed))
	}
	if len(shares) < 64 {
		t.Errorf("only %d shares occur", len(shares))
	}
}

// A patched batch has in each image one rectangle of the next one, at its own place there, of less than half its area and the image's shape, in
// any corner now and then. Such batches begin with an epoch, are as many as are to be, and never the mixed ones.
func TestPatch(t *testing.T) {
	const n, batch, h, w = 1600, 8, 8, 6
	const size = h * w * 3
	s := Split{N: n, H: h, W: w, Pixels: make([]byte, n*size), Labels: make([]uint16, n)}
	for i := range n { // neighbors in a batch differ in every pixel
		for j := range h * w {
			copy(s.Pixels[(i*h*w+j)*3:], []byte{byte(i), byte(i >> 8), byte(j)})
		}
	}
	o := LoaderOptions{Batch: batch, Seed: 5, Mix: 0.3}
	before := epoch(t, newLoader(t, &s, o), 3, 0)
	o.Mix = 0
	plain := epoch(t, newLoader(t, &s, o), 3, 0)
	o.Mix, o.Patch, o.PatchFrom = 0.3, 0.4, 4
	if !sameBatches(epoch(t, newLoader(t, &s, o), 3, 0), before) {
		t.Error("patches before their first epoch")
	}
	o.PatchFrom = 3
	count, areas, corners := 0, map[int]bool{}, [2][2]bool{}
	for i, b := range epoch(t, newLoader(t, &s, o), 3, 0) {
		mixed := !bytes.Equal(before[i].Pixels, plain[i].Pixels)
		if mixed && !bytes.Equal(before[i].Pixels, b.Pixels) {
			t.Fatalf("batch %d: mixed, and patched too", i)
		}
		if mixed || bytes.Equal(b.Pixels, plain[i].Pixels) {
			continue
		}
		count++
		image := func(b Batch, k int) []byte { return b.Pixels[k%batch*size : (k%batch+1)*size] }
		for k := range batch {
			got, own, next := image(b, k), image(plain[i], k), image(plain[i], k+1)
			top, left, bottom, right, covered := h, w, -1, -1, 0
			for j := 0; j < size; j += 3 {
				switch pixel := got[j : j+3]; {
				case bytes.Equal(pixel, own[j:j+3]):
				case bytes.Equal(pixel, next[j:j+3]):
					y, x := j/3/w, j/3%w
					top, left, bottom, right = min(top, y), min(left, x), max(bottom, y), max(right, x)
					covered++
				default:
					t.Fatalf("batch %d: pixel %d of image %d is neither its own nor the next one's", i, j/3, k)
				}
			}
			if covered == 0 {
				continue // a share that rounds to nothing
			}
			rows, columns := bottom-top+1, right-left+1
			if covered != rows*columns || math.Abs(float64(rows)/h-float64(columns)/w) > 0.5/h+0.5/w || float64(rows)-0.5 > h*math.Sqrt(0.5) {
				t.Fatalf("batch %d, image %d: %d pixels of the next one in %d rows and %d columns", i, k, covered, rows, columns)
			}
			areas[covered] = true
			for y, at := range []bool{top == 0, bottom == h-1} {
				for x, at2 := range []bool{left == 0, right == w-1} {
					corners[y][x] = corners[y][x] || at && at2
				}
			}
		}
	}
	if share := float64(count) / float64(len(before)); share < 0.3 || share > 0.5 {
		t.Errorf("%d of %d batches are patched, want four of ten", count, len(before))
	}
	if len(areas) < 5 || corners != [2][2]bool{{true, true}, {true, true}} {
		t.Errorf("areas %v, corners reached %v", areas, corners)
	}
}

// Each image loses one rectangle, a square but at the borders, and every pixel is in one now and then.
func TestCutout(t *testing.T) {
	const side, n, cut = 8, 400, 5
	s := Split{N: n, H: side, W: side, Pixels: bytes.Repeat([]byte{200}, n*side*side*3), Labels: make([]uint16, n)}
	l := newLoader(t, &s, LoaderOptions{Batch: n, Cutout: cut, Fill: [3]byte{1, 2, 3}, Seed: 5})
	pixels := epoch(t, l, 0, 0)[0].Pixels
	var seen [side][side]int
	for image := range slices.Chunk(pixels, side*side*3) {
		top, left, bottom, right, covered := side, side, -1, -1, 0
		for y := range side {
			for x := range side {
				switch p := [3]byte(image[(y*side+x)*3:]); p {
				case [3]byte{1, 2, 3}:
					top, left, bottom, right = min(top, y), min(left, x), max(bottom, y), max(right, x)
					seen[y][x]++
					covered++
				case [3]byte{200, 200, 200}:
				default:
					t.Fatalf("a pixel of %v", p)
				}
			}
		}
		h, w := bottom-top+1, right-left+1
		whole := func(size, from, to int) bool {
			return size == cut || size < cut && size > cut/2 && (from == 0 || to == side-1)
		}
		if covered != h*w || !whole(h, top, bottom) || !whole(w, left, right) {
			t.Fatalf("%d pixels covered, in rows %d to %d, columns %d to %d", covered, top, bottom, left, right)
		}
	}
	for y := range side {
		for x := range side {
			if seen[y][x] < n/side/side {
				t.Errorf("pixel %d, %d is covered in %d of %d images", y, x, seen[y][x], n)
			}
		}
	}
}

func TestAugmentDistribution(t *testing.T) {
	const n, pad = 9000, 1
	o := LoaderOptions{Pad: pad, Flip: FlipRandom, Seed: 11}
	var offsets [3][3]int
	flips := 0
	for i := range n {
		dy, dx, flip := o.augment(3, i)
		offsets[dy+pad][dx+pad]++ // beyond -pad..pad this panics
		if flip {
			flips++
		}
	}
	// Expected 1000 with a standard deviation of 30, and 4500 with one of 47.
	for _, row := range offsets {
		for _, count := range row {
			if count < 850 || count > 1150 {
				t.Errorf("offsets fall unevenly: %v", offsets)
			}
		}
	}
	if flips < 4250 || flips > 4750 {
		t.Errorf("%d of %d images flipped", flips, n)
	}
}

func TestFlipModes(t *testing.T) {
	random, alternating, none := LoaderOptions{Flip: FlipRandom}, LoaderOptions{Flip: FlipAlternating}, LoaderOptions{}
	changes, first := 0, 0
	for i := range 1000 {
		for e := range 3 {
			_, _, a := alternating.augment(e, i)
			_, _, b := alternating.augment(e+1, i)
			if a == b {
				t.Fatalf("image %d is shown the same way in epochs %d and %d", i, e, e+1)
			}
			if e == 0 && a {
				first++
			}
			if _, _, f := none.augment(e, i); f {
				t.Fatalf("image %d is flipped without being asked for", i)
			}
		}
		_, _, a := random.augment(0, i)
		_, _, b := random.augment(1, i)
		if a != b {
			changes++
		}
	}
	// 500 expected, with a standard deviation of 16.
	if changes < 400 || changes > 600 || first < 400 || first > 600 {
		t.Errorf("of 1000 images %d change sides at random, %d begin flipped", changes, first)
	}
}

// What a seed means may not change: runs are resumed and repeated by it.
func TestMixIsPinned(t *testing.T) {
	// The first output of SplitMix64 from state 0, as published with its reference code.
	if got := mix(0); got != 0xe220a8397b1dcdaf {
		t.Errorf("mix(0) = %#x", got)
	}
	if got := permutation(1, 0, 10); !slices.Equal(got, []int32{7, 8, 9, 2, 0, 5, 1, 3, 6, 4}) {
		t.Errorf("permutation is %v", got)
	}
}

func BenchmarkLoader(b *testing.B) {
	s := numbered(2560, 32, 32, 10)
	l, err := NewLoader(&s, LoaderOptions{Batch: 128, Pad: 4, Flip: FlipRandom, Workers: 1})
	if err != nil {
		b.Fatal(err)
	}
	batch := &Batch{Pixels: make([]byte, 128*32*32*3), Labels: make([]int32, 128)}
	order := permutation(0, 0, s.N)
	for b.Loop() {
		l.fill(batch, 0, 7, order)
	}
	b.ReportMetric(128*float64(b.N)/b.Elapsed().Seconds(), "images/s")
}
