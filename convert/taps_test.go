package convert

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"mnet-edge/graph"
)

// What taps see, summed class by class, is what a walk over all output positions finds, on geometries drawn at random.
func TestTapSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := func(lo, hi int, what string) int { return rapid.IntRange(lo, hi).Draw(t, what) }
		g := graph.New("taps")
		g.Level = graph.Folded
		h, w, c, k := small(1, 9, "h"), small(1, 9, "w"), small(1, 5, "c"), small(1, 4, "k")
		window := graph.Window{Stride: [2]int{small(1, 3, "sy"), small(1, 3, "sx")}, Dilation: [2]int{small(1, 2, "dy"), small(1, 2, "dx")},
			Padding: graph.Padding(small(0, 1, "padding"))}
		if oh, _ := window.Out(0, h, k); oh < 1 {
			t.Skip("the window does not fit")
		}
		if ow, _ := window.Out(1, w, k); ow < 1 {
			t.Skip("the window does not fit")
		}
		x := g.Input("x", float32Type(1, h, w, c))
		weight := graph.Const("w", float32Type(2, k, k, c), make([]float32, 2*k*k*c))
		v := newView(g.Apply("y", graph.Conv2D{Window: window}, x, weight).Def)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 0))
		data := make([]int8, h*w*c)
		for i := range data {
			data[i] = int8(r.IntN(256) - 128)
		}
		want, seen := make([]int64, v.taps()), make([]int, k*k)
		for oy := range v.OH {
			for ox := range v.OW {
				for tap := range k * k {
					y, at := oy*v.Stride[0]-v.Before[0]+tap/k*v.Dilation[0], ox*v.Stride[1]-v.Before[1]+tap%k*v.Dilation[1]
					if y < 0 || y >= h || at < 0 || at >= w {
						continue
					}
					seen[tap]++
					for i := range c {
						want[tap*c+i] += int64(data[(y*w+at)*c+i])
					}
				}
			}
		}
		sums, summer := make([]int64, v.taps()), newTapSummer(v)
		addTaps(summer, data, sums)
		for i, s := range sums {
			if s != want[i] {
				t.Fatalf("tap %d, channel %d: %d, want %d", i/c, i%c, s, want[i])
			}
		}
		for tap, n := range summer.seen() {
			if n != seen[tap] {
				t.Fatalf("tap %d sees %d positions, want %d", tap, n, seen[tap])
			}
		}
	})
}
