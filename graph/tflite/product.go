package tflite

import (
	"fmt"

	"mnet-edge/graph"
)

// The codecs of the operators that sum products without having weights as a layer has them.

func decodeL2Norm(c *call) (graph.Op, error) {
	return graph.L2Norm{}, c.linear(l2Activation)
}

func encodeBatchMatMul(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.BatchMatMul)
	return obj{matMulAdjX: o.AdjX, matMulAdjX + 1: o.AdjY}, nil
}

func decodeBatchMatMul(c *call) (graph.Op, error) {
	return graph.BatchMatMul{AdjX: c.options.bool(matMulAdjX), AdjY: c.options.bool(matMulAdjX + 1)}, nil
}

// A TRANSPOSE_CONV has its result's shape first, and its weights before its input. One with an activation is read as two
// operators, since it is of a later version than all that have none.

func encodeTransposeConv(n *graph.Node) (obj, []*graph.Value) {
	options := windowOptions(n.Op.(graph.TransposeConv2D).Window, make(obj, windowStrideH+1))
	return options, []*graph.Value{operand(n, "shape", n.Out.Type.Shape)}
}

// transposeConvInputs are x, weight, perhaps a bias, and the shape in the file's order.
func transposeConvInputs(in []*graph.Value) []*graph.Value {
	last := len(in) - 1
	return append([]*graph.Value{in[last], in[1], in[0]}, in[2:last]...)
}

func decodeTransposeConv(c *call) (graph.Op, error) {
	if len(c.in) != 3 && len(c.in) != 4 {
		return nil, fmt.Errorf("%d inputs: want shape, weights, input and bias", len(c.in))
	}
	shape, err := numbers(c.in[0])
	if err == nil && len(shape) != 4 {
		err = fmt.Errorf("%d dimensions", len(shape))
	}
	if err != nil {
		return nil, fmt.Errorf("shape: %w", err)
	}
	w, err := c.window()
	if err != nil {
		return nil, err
	}
	act, err := c.activation(transposeActivation)
	if err != nil {
		return nil, err
	}
	c.in = append([]*graph.Value{c.in[2], c.in[1]}, c.in[3:]...)
	op := graph.TransposeConv2D{Window: w, Size: [2]int(shape[1:3])}
	if act == graph.Linear {
		return op, nil
	}
	v, err := c.step(op, c.in...)
	if err != nil {
		return nil, err
	}
	v.Range = nil // this one is not its input's
	c.in = []*graph.Value{v}
	return graph.Activate{Act: act}, nil
}
