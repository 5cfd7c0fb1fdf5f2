package native

import (
	"syscall"

	"pgregory.net/rapid"
)

// guard is memory whose pieces end (or begin) where pages end that may not be touched: a kernel that reads or writes
// outside its buffers faults.
type guard struct {
	t       rapid.TB
	begin   bool // pieces begin at the end of a forbidden page, rather than end at the beginning of one
	page    int
	gaps    []int // where in the arena the forbidden pages are
	regions [][]byte
}

// guarded returns hooks that put every buffer of the arena and every panel of weights between forbidden pages, and a
// function that gives the memory back.
func guarded(t rapid.TB, begin bool) (hooks planHooks, free func()) {
	g := &guard{t: t, begin: begin, page: syscall.Getpagesize()}
	return planHooks{place: g.place, memory: g.memory}, g.free
}

func (g *guard) place(buffers []*buffer) (size int) {
	for _, b := range buffers {
		room := roundUp(b.size, g.page)
		b.offset = size
		if !g.begin {
			b.offset += room - b.size
		}
		size += room
		g.gaps = append(g.gaps, size)
		size += g.page
	}
	return size
}

func (g *guard) memory(n int) []byte {
	room := roundUp(n, g.page)
	m, err := syscall.Mmap(-1, 0, room+2*g.page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		g.t.Fatal(err)
	}
	g.regions = append(g.regions, m)
	forbid := func(at int) {
		if err := syscall.Mprotect(m[at:at+g.page], syscall.PROT_NONE); err != nil {
			g.t.Fatal(err)
		}
	}
	forbid(0)
	forbid(g.page + room)
	for _, gap := range g.gaps { // the first piece after place is the arena
		forbid(g.page + gap)
	}
	g.gaps = nil
	if g.begin {
		return m[g.page : g.page+n : g.page+n]
	}
	return m[g.page+room-n : g.page+room : g.page+room]
}

func (g *guard) free() {
	for _, m := range g.regions {
		if err := syscall.Munmap(m); err != nil {
			g.t.Error(err)
		}
	}
}
