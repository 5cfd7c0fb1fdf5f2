package tflite

import (
	"slices"
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

// In any other place a tensor without elements is refused, and nothing is divided by its sizes.
func TestEmptyTensors(t *testing.T) {
	seen := 0
	for _, b := range seeds(t) {
		g, err := Decode(b)
		if err != nil {
			continue
		}
		for _, shape := range [][]int32{{0}, {1, 0}, {1, 1, 1, 0}, {1, 0, 1, 1}, {0, 2}, {1, 8, 8, 0}} {
			for op := range taken(t, g).operators {
				for k := range taken(t, g).operators[op][operatorInputs].([]int32) {
					p := taken(t, g)
					empty := make(obj, len(p.tensors[0]))
					empty[tensorShape], empty[tensorType], empty[tensorBuffer], empty[tensorName] = shape, int8(2), uint32(0), "empty" // int32
					p.subgraph[subgraphTensors] = append(p.tensors[:len(p.tensors):len(p.tensors)], empty)
					in := append([]int32{}, p.operators[op][operatorInputs].([]int32)...)
					in[k] = int32(len(p.tensors))
					p.operators[op][operatorInputs] = in
					model := finish(p.model, modelID, 0)
					said := k > 0 && slices.Contains(sayOfEachDimension, p.codeOf(op))
					if _, err := Decode(model); err == nil && !said {
						t.Errorf("operator %d of code %d takes input %d of shape %v", op, p.codeOf(op), k, shape)
					} else if err != nil {
						seen++
					}
					DecodeHead(model) // which leaves such an operator or refuses it, and does not panic
				}
			}
		}
	}
	if seen < 1000 {
		t.Errorf("%d refused say too little", seen)
	}
}
