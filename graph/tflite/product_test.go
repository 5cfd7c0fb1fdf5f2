package tflite

import (
	"math/rand/v2"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
)

// productNet has the operators that sum products without having weights as a layer has them.
func productNet() *graph.Graph {
	r := rand.New(rand.NewPCG(4, 4))
	g := graph.New("products")
	g.Level = graph.Folded
	x := g.Input("x", graphtest.Floats(1, 3, 4, 5))
	x = g.Apply("grown", graph.TransposeConv2D{Window: graph.Dense(2, graph.Same), Size: [2]int{5, 8}}, x, weights(r, "w", 6, 3, 3, 5), weights(r, "b", 6))
	x = g.Apply("bare", graph.TransposeConv2D{Window: graph.Dense(1, graph.Valid), Size: [2]int{6, 8}}, x, weights(r, "v", 2, 2, 1, 6))
	x = g.Apply("unit", graph.L2Norm{}, x)
	x = g.Apply("squares", graph.BatchMatMul{AdjX: true}, x, x)
	g.Outputs = []*graph.Value{g.Apply("rows", graph.BatchMatMul{AdjY: true}, weights(r, "m", 6, 3, 2), x)}
	return g
}

func TestProducts(t *testing.T) {
	for _, c := range []struct {
		spoil func(p parts)
		want  string // of an error, or of the graph's text
	}{
		{func(p parts) {}, "grown = transpose_conv2d(x, w, b) stride=2 pad=same : float32[1,5,8,6]\n"},
		{func(p parts) { p.operators[0][operatorOptions] = append(p.options(0), int8(3)) },
			"grown/1 = transpose_conv2d(x, w, b) stride=2 pad=same : float32[1,5,8,6]\ngrown = activate(grown/1) act=relu6 : float32[1,5,8,6]\n"},
		{func(p parts) {
			p.operators[1][operatorInputs] = append(p.operators[1][operatorInputs].([]int32), -1)
		}, "bare = transpose_conv2d(grown, v) stride=1 pad=valid : float32[1,6,8,2]\n"},
		{func(p parts) { p.operators[0][operatorOptions] = append(p.options(0), int8(4)) }, "fused activation 4"},
		{func(p parts) { p.operators[0][operatorInputs] = []int32{0, 1} }, "2 inputs: want shape, weights, input and bias"},
		{func(p parts) { p.operators[1][operatorInputs].([]int32)[2] = -1 }, "2 inputs: want shape, weights, input and bias"},
		{func(p parts) { p.options(0)[windowStrideW] = int32(0) }, "stride [2 0]"},
		{func(p parts) { p.options(0)[windowPadding] = int8(7) }, "padding 7"},
		{func(p parts) { p.data("grown/shape")[bufferData].(blob)[4] = 7 }, "an image of [7 8], of which a convolution makes [1 4 4 5], of [1 3 4 5]"},
		{func(p parts) { p.data("grown/shape")[bufferData].(blob)[7] = 0x80 }, "size [-2147483643 8]"},
		{func(p parts) { p.data("grown/shape")[bufferData].(blob)[7] = 0x7f }, "size [2130706437 8]"},
		{func(p parts) { p.tensor("grown/shape")[tensorType] = int8(0) }, "shape: not a constant of integers"},
		{func(p parts) {
			p.tensor("grown/shape")[tensorShape], p.data("grown/shape")[bufferData] = []int32{2}, blob(make([]byte, 8))
		}, "shape: 2 dimensions"},
		{func(p parts) { p.operators[2][operatorOptions] = obj{l2Activation: int8(1)} }, "outside the supported set"},
		{func(p parts) { p.options(4)[matMulAdjX] = true }, "3 columns of [6 3 2] for 2 rows"},
		{func(p parts) { p.operators[3][operatorInputs] = []int32{0} }, "1 inputs: want 2"},
	} {
		p := taken(t, productNet())
		c.spoil(p)
		b := finish(p.model, modelID, 0)
		g, err := Decode(b)
		text := ""
		if err != nil {
			text = err.Error()
		} else {
			text = g.String()
			survives(t, b)
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s\nwant %s", text, c.want)
		}
	}
}
