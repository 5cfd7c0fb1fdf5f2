//go:build cgo && linux && (amd64 || arm64)

package allocator

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"
)

const mib = 1 << 20

// bytesOf are the n bytes at p.
func bytesOf(p unsafe.Pointer, n int) []byte { return unsafe.Slice((*byte)(p), n) }

// early is a piece of before Use.
var early = aligned(64, mib)

// use is Use where it has an effect.
func use(t *testing.T) {
	t.Helper()
	if !replaces() {
		t.Skip("the C library is not glibc")
	}
	if Use(); early != nil {
		if owns(early) {
			t.Error("memory is kept without being asked for")
		}
		free(early)
		early = nil
	}
	if p := aligned(64, mib); owns(p) {
		free(p)
	} else {
		t.Fatal("a piece that is the C library's")
	}
}

// Small pieces and those aligned to more than ours are the C library's.
func TestPassesOn(t *testing.T) {
	use(t)
	for _, p := range []unsafe.Pointer{aligned(64, 32<<10-1), aligned(8192, mib)} { // small, or aligned to more than pieces are
		if owns(p) {
			t.Error("a piece that is the C library's")
		}
		free(p)
	}
	if aligned(24, mib) != nil {
		t.Error("an alignment of 24")
	}
	for size, p := range map[int]unsafe.Pointer{mib + 1: alignedAlloc(64, mib+1), 40_000: memalign(64, 40_000), 33 << 10: aligned(4096, 33<<10)} {
		if n := usable(p); !owns(p) || n < size || n > size+size/4+1<<21 {
			t.Errorf("%d bytes: ours %v, %d usable", size, owns(p), n)
		}
		free(p)
	}
	for _, p := range []unsafe.Pointer{resized(nil, 100), memalign(64, 100)} {
		if n := usable(p); n < 100 || n > 200 {
			t.Errorf("100 bytes of the C library's: %d usable", n)
		}
		free(p)
	}
}

// The piece that was freed last is the next one of its size, and what was freed does not grow.
func TestKeeps(t *testing.T) {
	use(t)
	for _, size := range []int{32 << 10, 33 << 10, 100_000, mib, mib + 1, 5 * mib} {
		p, q := aligned(64, size), aligned(64, size)
		held := Held()
		for range 100 {
			free(p)
			free(q)
			if p, q = aligned(64, size), aligned(64, size); Held() != held {
				t.Fatalf("%d bytes: %d are held, before %d", size, Held(), held)
			}
		}
		free(p)
		if again := aligned(64, size); again != p {
			t.Errorf("%d bytes: freed at %p, next at %p", size, p, again)
		}
		free(p)
		free(q)
	}
}

// sizes makes each large size a new one.
var sizes = 300

// When more of a large size are wanted than ever, the pages of what lies free are given back; what comes to lie there later is zero. Small sizes give back nothing.
func TestGivesBack(t *testing.T) {
	use(t)
	sizes += 2
	first, second := (sizes-1)*mib*2, sizes*mib*2
	p := aligned(64, first)
	bytesOf(p, first)[first/2] = 1
	free(p)
	held := Held()
	for range 100 { // of a size that no other test has, of which some are wanted at once
		defer free(aligned(64, 800_000))
	}
	if now := Held(); now < held {
		t.Errorf("small pieces took what is held from %d to %d MiB", held/mib, now/mib)
	}
	if p = aligned(64, first); bytesOf(p, first)[first/2] != 1 {
		t.Error("small pieces gave the pages back")
	}
	free(p)
	held = Held()
	q := aligned(64, second)
	if now := Held(); now > held+uint64(second)-uint64(first) {
		t.Errorf("%d MiB are held, before %d", now/mib, held/mib)
	}
	if p = aligned(64, first); bytesOf(p, first)[first/2] != 0 {
		t.Error("the pages were not given back")
	}
	free(p)
	free(q)
}

// Pieces of any size, taken and freed by many threads, another's too, are aligned, large enough, and nobody else's; those that are made larger or
// smaller keep what is in them.
func TestPiecesAreApart(t *testing.T) {
	use(t)
	type piece struct {
		p    unsafe.Pointer
		size int
		mark byte
	}
	passed := make(chan piece, 64)
	check := func(c piece) {
		if n := bytes.Count(bytesOf(c.p, c.size), []byte{c.mark}); n != c.size {
			t.Errorf("of %d bytes %d are as they were left", c.size, n)
		}
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(worker)))
			for range 1000 {
				size := 1 + int(float64(uint(1)<<(10+rng.IntN(12)))*(1+rng.Float64()))
				c := piece{aligned(64, size), size, byte(rng.IntN(256))}
				if uintptr(c.p)%64 != 0 {
					t.Errorf("%d bytes at %p", size, c.p)
				}
				copy(bytesOf(c.p, size), bytes.Repeat([]byte{c.mark}, size))
				select {
				case passed <- c:
				default: // enough are held: another's is freed
					free(c.p)
					c = <-passed
					check(c)
					if rng.IntN(4) == 0 {
						c.p = resized(c.p, max(1, c.size/2+rng.IntN(c.size)))
						c.size = c.size / 2
						check(c)
					}
					free(c.p)
				}
			}
		})
	}
	all.Wait()
	close(passed)
	for c := range passed {
		check(c)
		free(c.p)
	}
}
