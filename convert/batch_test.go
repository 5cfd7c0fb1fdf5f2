package convert

import (
	"context"
	"fmt"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/interp"
	"mnet-edge/quant"
)

// movedNet has the operators that move elements and those without weights of a layer's, each of which leaves dimension 0 as
// it is.
func movedNet() *graph.Graph {
	g := graph.New("moved")
	g.Level = graph.Folded
	constant := func(name string, shape ...int) *graph.Value {
		return graphtest.Const(name, func(i int) float32 { return float32(i%5-2) / 4 }, shape...)
	}
	x := g.Input("x", float32Type(1, 4, 4, 4))
	x = g.Apply("deep", graph.SpaceToDepth{Block: 2}, x)
	x = g.Apply("wide", graph.DepthToSpace{Block: 2}, x)
	x = g.Apply("mirrored", graph.MirrorPad{Before: []int{0, 1, 0, 0}, After: []int{0, 1, 2, 0}}, x)
	x = g.Apply("part", graph.Slice{Begin: []int{0, 5, 1, 0}, Size: []int{1, 3, 4, 4}, Step: []int{2, -2, 1, 1}}, x)
	x = g.Apply("repeated", graph.Tile{Times: []int{1, 2, 1, 1}}, x)
	x = g.Apply("grown", graph.TransposeConv2D{Window: graph.Dense(2, graph.Same), Size: [2]int{12, 8}}, x, constant("w", 3, 3, 3, 4))
	x = g.Apply("matrices", graph.BatchMatMul{}, x, constant("m", 3, 5))
	x = g.Apply("own", graph.BatchMatMul{AdjY: true}, x, x)
	x = g.Apply("unit", graph.L2Norm{}, x)
	x = g.Apply("largest", graph.Reduce{Fn: graph.Largest, Axes: []int{1}}, x)
	g.Outputs = []*graph.Value{g.Apply("sums", graph.Reduce{Axes: []int{2}}, x)}
	return g
}

// Every value of every sample has the bits at once that it has alone: float networks and integer ones, numbers of samples that
// fill no batch.
func TestBatchedEqualsAlone(t *testing.T) {
	int8s, err := Run(context.Background(), fileNet(t), Recipe{Scheme: Int8, Budget: -1}, randomInputs(8*8*3, 4), nil)
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := Run(context.Background(), islandNet(), Recipe{Scheme: Int8, Budget: -1, Partial: true, FloatIO: true}, randomInputs(4*4*3, 4), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []*graph.Graph{folded(t, checkpoint(nil)), fileNet(t), islandNet(), movedNet(), int8s.Graph, mixed.Graph} {
		if b, _ := batched(g, 3); b == nil {
			t.Errorf("%s: not batched:\n%v", g.Name, g)
			continue
		}
		for _, n := range []int{1, 7, 19} {
			var samples [][]float32
			for x := range randomInputs(g.Inputs[0].Type.Elements(), n) {
				samples = append(samples, append([]float32{}, x...))
			}
			in := inputs(g.Inputs[0].Type, samples)
			want, got := make([]map[string]string, n), make([]map[string]string, n)
			for i := range n {
				got[i], want[i] = map[string]string{}, map[string]string{}
				m, err := interp.New(g, interp.Options{Rounding: quant.Float32, Tap: func(v *graph.Value, data any) {
					want[i][v.Name] = fmt.Sprint(data)
				}})
				if err == nil {
					_, err = m.Run(in[i])
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			c := newCrew(context.Background(), new(interp.Packs), g, func(h *hand, v *graph.Value, data any) {
				got[h.at][v.Name] = fmt.Sprint(data)
			})
			if err := c.each(n, func(i int) []any { return in[i : i+1] }, nil); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				for name, w := range want[i] {
					if got[i][name] != w {
						t.Errorf("%s: %d samples: %q of sample %d differs", g.Name, n, name, i)
					}
				}
			}
		}
	}
}

// Operators in which samples would meet are run one sample at a time.
func TestNotBatched(t *testing.T) {
	for name, op := range map[string]graph.Op{
		"mean over samples": graph.Mean{Axes: []int{0, 1}, KeepDims: true},
		"joined samples":    graph.Concat{Axis: 0},
		"turned":            graph.Transpose{Perm: []int{1, 0, 2, 3}},
		"padded":            graph.Pad{Before: []int{1, 0, 0, 0}, After: []int{0, 0, 0, 0}},
		"rows":              graph.Reshape{Shape: []int{4, 12}},
		"mirrored":          graph.MirrorPad{Before: []int{1, 0, 0, 0}, After: []int{0, 0, 0, 0}, Symmetric: true},
		"repeated":          graph.Tile{Times: []int{2, 1, 1, 1}},
		"largest":           graph.Reduce{Fn: graph.Largest, Axes: []int{0}, KeepDims: true},
	} {
		g := graph.New(name)
		g.Level = graph.Folded
		x := g.Input("x", float32Type(1, 4, 4, 3))
		in := []*graph.Value{x}
		if name == "joined samples" {
			in = append(in, x)
		}
		g.Outputs = []*graph.Value{g.Apply("y", op, in...)}
		if b, _ := batched(g, 2); b != nil {
			t.Errorf("%s: batched:\n%v", name, b)
		}
	}
}
