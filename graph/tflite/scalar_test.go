package tflite

import (
	"testing"

	"mnet-edge/graph"
)

// Of a scalar an operator's attribute that has a number for each dimension has none, in a file too.
func TestScalars(t *testing.T) {
	for name, c := range map[string]struct {
		shape []int
		op    graph.Op
	}{
		"reshape":   {[]int{1}, graph.Reshape{}},
		"mean":      {[]int{1}, graph.Mean{Axes: []int{0}}},
		"pad":       {nil, graph.Pad{}},
		"transpose": {nil, graph.Transpose{}},
		"tile":      {nil, graph.Tile{}},
		"mirror":    {nil, graph.MirrorPad{}},
	} {
		g := graph.New(name)
		g.Level = graph.Folded
		y := g.Apply("y", c.op, g.Input("x", graph.Type{DType: graph.Float32, Shape: c.shape}))
		g.Outputs = []*graph.Value{g.Apply("z", graph.Unary{Fn: graph.Neg}, y)}
		if err := g.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := Encode(g)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := Decode(b)
		if err != nil {
			t.Errorf("%s: what was written is refused: %v", name, err)
		} else if back.String() != g.String() {
			t.Errorf("%s: read back\n%v\nwant\n%v", name, back, g)
		}
	}
}
