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

// Before it is used, everything is the C library's, and may be freed afterwards.
func TestPassesOn(t *testing.T) {
	before := aligned(64, mib)
	if owns(before) || Held() != 0 {
		t.Error("memory is kept without being asked for")
	}
	Use()
	Use()
	after := aligned(64, mib)
	if !owns(after) {
		t.Skip("the C library is not glibc, or there is no address space")
	}
	for _, p := range []unsafe.Pointer{aligned(64, 32<<10-1), aligned(8192, mib)} { // small, or aligned to more than pieces are
		if owns(p) {
			t.Error("a piece that is the C library's")
		}
		free(p)
	}
	if aligned(24, mib) != nil {
		t.Error("an alignment of 24")
	}
	free(before)
	free(after)
}

// The piece that was freed last is the next one of its size, and what was freed does not grow.
func TestKeeps(t *testing.T) {
	Use()
	for _, size := range []int{32 << 10, 33 << 10, 100_000, mib, mib + 1, 5 * mib} {
		p, q := aligned(64, size), aligned(64, size)
		if !owns(p) {
			t.Skip("not in use here")
		}
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

// A size that was never asked for gives the pages of what lies free back; one that was has what is in it lost, not its place.
func TestGivesBack(t *testing.T) {
	Use()
	p := aligned(64, 301*mib)
	if !owns(p) {
		t.Skip("not in use here")
	}
	bytesOf(p, 301*mib)[300*mib] = 1
	free(p)
	held := Held()
	q := aligned(64, 203*mib)
	if now := Held(); now > held-90*mib {
		t.Errorf("%d MiB are held, before %d", now/mib, held/mib)
	}
	if p = aligned(64, 301*mib); bytesOf(p, 301*mib)[300*mib] != 0 {
		t.Error("the pages were not given back")
	}
	free(p)
	free(q)
}

// Pieces of any size, taken and freed by many threads, another's too, are aligned, large enough, and nobody else's; those that are made larger or
// smaller keep what is in them.
func TestPiecesAreApart(t *testing.T) {
	Use()
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
