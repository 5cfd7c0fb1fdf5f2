package graph

import (
	"math"
	"testing"
)

// Every Half survives the way to float32 and back, and lies where its neighbours say.
func TestHalf(t *testing.T) {
	for i := range 1 << 16 {
		h := Half(i)
		x := h.Float32()
		if math.IsNaN(float64(x)) {
			if back := NewHalf(x); back&0x7c00 != 0x7c00 || back&0x3ff == 0 {
				t.Fatalf("%#x is no number, %#x came back", h, back)
			}
			continue
		}
		if back := NewHalf(x); back != h {
			t.Fatalf("%#x = %v came back as %#x", h, x, back)
		}
		if h&0x7fff >= 0x7bff {
			continue
		}
		next := (h + 1).Float32()
		middle := float32((float64(x) + float64(next)) / 2) // exact
		even := h + h&1
		if got := NewHalf(middle); got != even {
			t.Fatalf("between %v and %v: %v", x, next, got.Float32())
		}
		if got := NewHalf(math.Nextafter32(middle, x)); got != h {
			t.Fatalf("just short of the middle of %v and %v: %v", x, next, got.Float32())
		}
		if got := NewHalf(math.Nextafter32(middle, next)); got != h+1 {
			t.Fatalf("just past the middle of %v and %v: %v", x, next, got.Float32())
		}
	}
	inf := float32(math.Inf(1))
	for x, want := range map[float32]float32{MaxHalf: MaxHalf, 65519: MaxHalf, 65520: inf, 1e10: inf, -inf: -inf} {
		if got := NewHalf(x).Float32(); got != want {
			t.Errorf("%v became %v, want %v", x, got, want)
		}
	}
}
