package tflite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mnet-edge/graph"
)

// codec is what the file has for one operator of the graph. A new operator is a new entry of codecs.
type codec struct {
	op      string   // the graph operator's name; of Activate, the activation's; empty where another's stands for it
	code    int32    // BuiltinOperator
	options uint8    // the member of BuiltinOptions, 0 for none
	biased  bool     // the last input may be a bias that is -1; runtimes fall over a -1 in any other place
	since   []string // the TensorFlow release whose runtime first had version i+1

	// version is the lowest version of the operator that a runtime must have.
	// Source: TensorFlow's op_version.cc and runtime_version.cc.
	version func(n *graph.Node) int
	// encode gives the options, and what is an input in the file after the node's own: attributes as constants. A nil
	// is an optional input left out.
	encode func(n *graph.Node) (obj, []*graph.Value)
	// decode is the inverse: it makes the operator from the call, and takes constants that are attributes from c.in.
	decode func(c *call) (graph.Op, error)
}

// call is an operator of a file while it is decoded.
type call struct {
	options     table
	in          []*graph.Value
	out         graph.Type
	part, parts int // which of how many results it is decoded for

	g     *graph.Graph // what step adds to
	f     *file
	name  string // of the result
	steps int    // so far
}

var codecs = []*codec{
	{"conv2d", opConv2D, 1, false, strings.Fields("1.5.0 1.14.0 1.14.0 2.3.0 2.4.0 2.9.0 2.11.0"), convVersion, encodeConv, decodeConv},
	{"depthwise_conv2d", opDepthwiseConv2D, 2, false,
		strings.Fields("1.5.0 1.12.0 1.14.0 2.2.0 2.3.0 2.3.0 2.11.0"), depthwiseVersion, encodeDepthwise, decodeDepthwise},
	{"fully_connected", opFullyConnected, 8, true,
		strings.Fields("1.5.0 1.10.0 1.14.0 1.14.0 2.0.0 2.1.0 2.3.0 2.3.0 2.3.0 2.11.0 2.15.0 2.17.0"), denseVersion, encodeDense, decodeDense},
	{"mean", opMean, 27, false, strings.Fields("1.6.0 1.14.0 2.4.0"), byType, encodeMean, decodeMean},
	{"pad", opPad, 22, false, strings.Fields("1.5.0 1.14.0 2.4.0 2.6.0"), padVersion, encodePad, decodePad},
	{"reshape", opReshape, 17, false, strings.Fields("1.5.0"), one, encodeReshape, decodeReshape},
	{"relu", opReLU, 0, false, strings.Fields("1.5.0 2.1.0 2.5.0"), byType, plain, always(graph.Activate{Act: graph.ReLU})},
	{"relu6", opReLU6, 0, false, strings.Fields("1.5.0 1.14.0 2.5.0"), byType, plain, always(graph.Activate{Act: graph.ReLU6})},
	{"add", opAdd, 11, false, strings.Fields("1.5.0 1.14.0 2.4.0"), byType, encodeArithmetic, decodeArithmetic(graph.Add)},
	{"sub", opSub, 28, false, strings.Fields("1.6.0 1.14.0 2.3.0 2.4.0 2.4.0"), subVersion, encodeArithmetic, decodeArithmetic(graph.Sub)},
	{"mul", opMul, 21, false, strings.Fields("1.5.0 1.14.0 1.15.0 2.3.0"), mulVersion, encodeArithmetic, decodeArithmetic(graph.Mul)},
	{"average_pool", opAveragePool2D, 5, false, strings.Fields("1.5.0 1.14.0 2.3.0"), byType, encodePool, decodePool(graph.Average)},
	{"max_pool", opMaxPool2D, 5, false, strings.Fields("1.5.0 1.14.0 2.3.0"), byType, encodePool, decodePool(graph.Max)},
	{"concat", opConcatenation, 10, false, strings.Fields("1.5.0 1.14.0 2.3.0"), byType, encodeConcat, decodeConcat},
	{"hard_swish", opHardSwish, 91, false, strings.Fields("1.15.0"), one, plain, always(graph.Unary{Fn: graph.HardSwish})},
	{"logistic", opLogistic, 0, false, strings.Fields("1.14.0 1.14.0 2.3.0"), byType, plain, always(graph.Unary{Fn: graph.Logistic})},
	{"softmax", opSoftmax, 9, false, strings.Fields("1.5.0 1.14.0 2.3.0"), byType, encodeSoftmax, decodeSoftmax},
	{"resize_bilinear", opResizeBilinear, 15, false, strings.Fields("1.7.0 1.14.0 2.2.0 2.5.0"), bilinearVersion, encodeBilinear, decodeBilinear},
	{"resize_nearest", opResizeNearestNeighbor, 74, false, strings.Fields("1.13.1 1.14.0 2.3.0 2.4.0"), nearestVersion, encodeNearest, decodeNearest},
	{"transpose", opTranspose, 26, false,
		strings.Fields("1.6.0 1.14.0 1.15.0 2.3.0 2.4.0 2.12.0"), transposeVersion, encodeTranspose, decodeTranspose},
	{"quantize", opQuantize, 89, false, strings.Fields("1.14.0 1.15.0"), quantizeVersion, plain, decodeQuantize},
	{"dequantize", opDequantize, 38, false, strings.Fields("1.13.1 1.14.0 1.15.0"), byType, plain, always(graph.Dequantize{})},
	{"div", opDiv, 29, false, strings.Fields("1.6.0 2.3.0"), divVersion, encodeArithmetic, decodeArithmetic(graph.Div)},
	{"leaky_relu", opLeakyReLU, 75, false, strings.Fields("1.13.1"), one, encodeLeaky, decodeLeaky},
	{"prelu", opPReLU, 0, false, strings.Fields("1.8.0"), one, plain, always(graph.PReLU{})},
	{"maximum", opMaximum, 39, false, strings.Fields("1.14.0 1.14.0 2.3.0"), pairVersion, plain, always(graph.Pair{Fn: graph.Maximum})},
	{"minimum", opMinimum, 39, false, strings.Fields("1.14.0 1.14.0 2.3.0"), pairVersion, plain, always(graph.Pair{Fn: graph.Minimum})},
	{"elu", opElu, 0, false, strings.Fields("1.14.0"), one, plain, always(graph.Unary{Fn: graph.Elu})},
	{"tanh", opTanh, 0, false, strings.Fields("1.14.0"), one, plain, always(graph.Unary{Fn: graph.Tanh})},
	{"exp", opExp, 33, false, strings.Fields("1.7.0"), one, plain, always(graph.Unary{Fn: graph.Exp})},
	{"abs", opAbs, 78, false, strings.Fields("1.13.0"), one, plain, always(graph.Unary{Fn: graph.Abs})},
	{"neg", opNeg, 42, false, strings.Fields("1.9.0"), one, plain, always(graph.Unary{Fn: graph.Neg})},
	{"sqrt", opSqrt, 0, false, strings.Fields("1.10.0"), one, plain, always(graph.Unary{Fn: graph.Sqrt})},
	{"rsqrt", opRsqrt, 0, false, strings.Fields("1.10.0"), one, plain, always(graph.Unary{Fn: graph.Rsqrt})},
	{"square", opSquare, 66, false, strings.Fields("1.12.0"), one, plain, always(graph.Unary{Fn: graph.Square})},
	{"floor", opFloor, 0, false, strings.Fields("1.9.0"), one, plain, always(graph.Unary{Fn: graph.Floor})},
	{"ceil", opCeil, 0, false, strings.Fields("1.14.0"), one, plain, always(graph.Unary{Fn: graph.Ceil})},
	{"round", opRound, 0, false, strings.Fields("1.14.0"), one, plain, always(graph.Unary{Fn: graph.Round})},
	{"relu_n1_to_1", opReLUN1To1, 0, false, strings.Fields("1.5.0"), one, plain, always(graph.Unary{Fn: graph.Clip1})},
	{"relu_0_to_1", opReLU0To1, 0, false, strings.Fields("2.10.0"), one, plain, always(graph.Unary{Fn: graph.Clip01})},
	{"gelu", opGelu, 116, false, strings.Fields("2.9.0"), one, encodeGelu, decodeGelu},
	{"gelu_tanh", opGelu, 116, false, strings.Fields("2.9.0"), one, encodeGelu, decodeGelu},
	{"squared_difference", opSquaredDifference, 76, false, strings.Fields("1.13.1"), one, plain, always(graph.Pair{Fn: graph.SquaredDifference})},
	{"slice", opSlice, 48, false, strings.Fields("1.14.0 1.14.0 1.14.0 2.4.0 2.5.0"), sliceVersion, encodeSlice, decodeSlice},
	{"strided_slice", opStridedSlice, 32, false, strings.Fields("1.6.0 1.14.0 2.1.0 2.2.0"), stridedVersion, encodeStrided, decodeStrided},
	{"space_to_depth", opSpaceToDepth, 19, false, strings.Fields("1.5.0 1.14.0"), int8Version(2), encodeSpaceToDepth, decodeSpaceToDepth},
	{"depth_to_space", opDepthToSpace, 94, false, strings.Fields("2.1.0 2.5.0"), int8Version(2), encodeDepthToSpace, decodeDepthToSpace},
	{"mirror_pad", opMirrorPad, 77, false, strings.Fields("1.13.1 2.3.0 2.12.0"), byType, encodeMirrorPad, decodeMirrorPad},
	{"tile", opTile, 51, false, strings.Fields("1.10.1 2.2.0 2.8.0"), int8Version(3), encodeTile, decodeTile},
	{"sum", opSum, 27, false, strings.Fields("1.10.0"), one, encodeReduce, decodeReduce(graph.Sum)},
	{"reduce_max", opReduceMax, 27, false, strings.Fields("1.11.0 1.14.0 2.5.0"), byType, encodeReduce, decodeReduce(graph.Largest)},
	{"reduce_min", opReduceMin, 27, false, strings.Fields("1.11.0 1.14.0 2.5.0"), byType, encodeReduce, decodeReduce(graph.Smallest)},
	{"log", opLog, 0, false, strings.Fields("1.14.0"), one, plain, always(graph.Unary{Fn: graph.Log})},
	{"sin", opSin, 0, false, strings.Fields("1.9.0"), one, plain, always(graph.Unary{Fn: graph.Sin})},
	{"cos", opCos, 84, false, strings.Fields("1.14.0"), one, plain, always(graph.Unary{Fn: graph.Cos})},
	{"pow", opPow, 56, false, strings.Fields("1.10.0"), one, plain, always(graph.Pair{Fn: graph.Pow})},
	{"l2_normalization", opL2Normalization, 12, false, strings.Fields("1.5.0"), one, plain, decodeL2Norm},
	{"batch_matmul", opBatchMatMul, 101, false, strings.Fields("2.3.0"), one, encodeBatchMatMul, decodeBatchMatMul},
	{"transpose_conv2d", opTransposeConv, 49, true, strings.Fields("1.9.0 2.2.0 2.3.0"), transposeConvVersion, encodeTransposeConv, decodeTransposeConv},
	{"", opSqueeze, 30, false, nil, nil, nil, decodeSqueeze},       // read as a reshape
	{"", opExpandDims, 52, false, nil, nil, nil, decodeExpandDims}, // so is this
	{"", opReverseV2, 81, false, nil, nil, nil, decodeReverse},     // as a slice
	{"", opSplit, 35, false, nil, nil, nil, decodeSplit},           // as a slice for each result
	{"", opSplitV, 79, false, nil, nil, nil, decodeSplitV},
	{"", opUnpack, 64, false, nil, nil, nil, decodeUnpack},
	{"", opPack, 59, false, nil, nil, nil, decodePack}, // as a concatenation of reshapes
}

// codecOf is the codec of a graph operator, or nil.
func codecOf(op graph.Op) *codec {
	name := op.Name()
	if a, ok := op.(graph.Activate); ok {
		name = a.Act.String()
	}
	i := slices.IndexFunc(codecs, func(c *codec) bool { return c.op == name })
	if i < 0 {
		return nil
	}
	return codecs[i]
}

// codecFor is the codec of an operator code, or nil.
func codecFor(code int32) *codec {
	i := slices.IndexFunc(codecs, func(c *codec) bool { return c.code == code })
	if i < 0 {
		return nil
	}
	return codecs[i]
}

// Versions.

func one(*graph.Node) int { return 1 }

// byType is the common rule: 1, for int8 2, for int16 3.
func byType(n *graph.Node) int {
	switch n.In[0].Type.DType {
	case graph.Int8:
		return 2
	case graph.Int16, graph.Float16:
		return 3
	}
	return 1
}

// perChannel reports whether a node's weights have more scales than one.
func perChannel(n *graph.Node) bool { return len(n.In[1].Type.Quant.Scale) > 1 }

func convVersion(n *graph.Node) int {
	switch x, w := n.In[0].Type, n.In[1].Type; {
	case w.DType == graph.Int4:
		return 7
	case x.Shape[3] != w.Shape[3]: // grouped
		return 6
	case x.DType == graph.Int16:
		return 4
	case x.DType == graph.Int8:
		return 3
	case w.DType == graph.Int8 && perChannel(n):
		return 5
	case w.DType == graph.Int8:
		return 2
	}
	return 1
}

func depthwiseVersion(n *graph.Node) int {
	switch x, w := n.In[0].Type, n.In[1].Type; {
	case w.DType == graph.Int4:
		return 7
	case x.DType == graph.Int16:
		return 5
	case x.DType == graph.Int8:
		return 3
	case w.DType == graph.Int8 && perChannel(n):
		return 6
	case w.DType == graph.Int8:
		return 4
	case n.Op.(graph.DepthwiseConv2D).Dilation != [2]int{1, 1}:
		return 2
	}
	return 1
}

func denseVersion(n *graph.Node) int {
	op := n.Op.(graph.FullyConnected)
	switch x, w := n.In[0].Type, n.In[1].Type; {
	case x.DType == graph.Float32 && w.DType == graph.Int8 && perChannel(n):
		return 12
	case w.DType == graph.Int4:
		return 10
	case x.DType == graph.Float32 && w.DType == graph.Int8 && op.Asymmetric:
		return 9
	case x.DType == graph.Int16:
		return 7
	case op.KeepDims:
		return 5
	case x.DType == graph.Int8:
		return 4
	case w.DType == graph.Int8:
		return 3
	}
	return 1
}

func padVersion(n *graph.Node) int {
	if len(n.In[0].Type.Shape) > 4 {
		return 4
	}
	return byType(n)
}

func quantizeVersion(n *graph.Node) int {
	if n.Out.Type.DType == graph.Int16 {
		return 2
	}
	return 1
}

// Attributes.

// plain is for operators without attributes.
func plain(*graph.Node) (obj, []*graph.Value) { return obj{}, nil }

func always(op graph.Op) func(*call) (graph.Op, error) {
	return func(*call) (graph.Op, error) { return op, nil }
}

func encodeConv(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.Conv2D)
	return obj{
		windowPadding: int8(o.Padding), windowStrideW: int32(o.Stride[1]), windowStrideH: int32(o.Stride[0]),
		convActivation: encodeActivation(o.Act),
		convDilationW:  int32(o.Dilation[1]), convDilationW + 1: int32(o.Dilation[0]),
	}, missingBias(n)
}

// missingBias gives a convolution without a bias one of zeros: TFLite's kernel refuses to do without, XNNPACK too.
// Only float32 ones come here, see graph.Check.
func missingBias(n *graph.Node) []*graph.Value {
	if len(n.In) == 3 {
		return nil
	}
	t := graph.Type{DType: graph.Float32, Shape: n.Out.Type.Shape[3:]}
	return []*graph.Value{graph.Const(n.Out.Name+"/bias", t, make([]float32, t.Elements()))}
}

func decodeConv(c *call) (graph.Op, error) {
	if err := c.wantBias(); err != nil {
		return nil, err
	}
	w, err := c.window()
	if err != nil {
		return nil, err
	}
	w.Dilation = c.dilation(convDilationW)
	act, err := c.activation(convActivation)
	return graph.Conv2D{Window: w, Act: act}, err
}

func encodeDepthwise(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.DepthwiseConv2D)
	multiplier := n.In[1].Type.Shape[3] / n.In[0].Type.Shape[3]
	return obj{
		windowPadding: int8(o.Padding), windowStrideW: int32(o.Stride[1]), windowStrideH: int32(o.Stride[0]),
		depthMultiplier: int32(multiplier), depthActivation: encodeActivation(o.Act),
		depthDilationW: int32(o.Dilation[1]), depthDilationW + 1: int32(o.Dilation[0]),
	}, missingBias(n)
}

// decodeDepthwise leaves the multiplier to the shapes, as the runtime does.
func decodeDepthwise(c *call) (graph.Op, error) {
	if err := c.wantBias(); err != nil {
		return nil, err
	}
	w, err := c.window()
	if err != nil {
		return nil, err
	}
	w.Dilation = c.dilation(depthDilationW)
	act, err := c.activation(depthActivation)
	return graph.DepthwiseConv2D{Window: w, Act: act}, err
}

// wantBias refuses a convolution of two inputs: TFLite's kernel does too, but that of the depthwise one reads through a
// null pointer.
func (c *call) wantBias() error {
	if len(c.in) != 3 {
		return fmt.Errorf("%d inputs: want input, weights and bias", len(c.in))
	}
	return nil
}

// window reads what Conv2DOptions, DepthwiseConv2DOptions and Pool2DOptions share. graph.Check bounds the numbers.
func (c *call) window() (graph.Window, error) {
	p := c.options.int8(windowPadding)
	if p != int8(graph.Same) && p != int8(graph.Valid) {
		return graph.Window{}, fmt.Errorf("padding %d", p)
	}
	return graph.Window{
		Stride:   [2]int{int(c.options.int32(windowStrideH)), int(c.options.int32(windowStrideW))},
		Dilation: [2]int{1, 1},
		Padding:  graph.Padding(p),
	}, nil
}

// dilation reads dilation_w_factor, whose number is given, and dilation_h_factor, which follows.
func (c *call) dilation(width int) [2]int {
	return [2]int{int(c.options.int32Or(width+1, 1)), int(c.options.int32Or(width, 1))}
}

// ActivationFunctionType of each activation.
var activations = [...]int8{graph.Linear: 0, graph.ReLU: 1, graph.ReLU6: 3}

func encodeActivation(a graph.Activation) int8 { return activations[a] }

func (c *call) activation(id int) (graph.Activation, error) {
	f := c.options.int8(id)
	if i := slices.Index(activations[:], f); i >= 0 {
		return graph.Activation(i), nil
	}
	return 0, fmt.Errorf("fused activation %d: %w", f, ErrUnsupported)
}

func encodeDense(n *graph.Node) (obj, []*graph.Value) {
	op := n.Op.(graph.FullyConnected)
	o := obj{denseActivation: encodeActivation(op.Act), denseKeepDims: op.KeepDims, denseAsymmetric: op.Asymmetric}
	if len(n.In) == 2 {
		return o, []*graph.Value{nil} // an absent bias; two inputs alone are legal from version 6 on
	}
	return o, nil
}

func decodeDense(c *call) (graph.Op, error) {
	if f := c.options.int8(denseFormat); f != 0 {
		return nil, fmt.Errorf("weights format %d: %w", f, ErrUnsupported)
	}
	act, err := c.activation(denseActivation)
	op := graph.FullyConnected{Act: act, KeepDims: c.options.bool(denseKeepDims)}
	// Of other types the flag says nothing; converters set it all the same.
	if len(c.in) > 1 && c.in[0].Type.DType == graph.Float32 && c.in[1].Type.DType != graph.Float32 {
		op.Asymmetric = c.options.bool(denseAsymmetric)
	}
	return op, err
}

func encodeMean(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.Mean)
	return obj{reduceKeepDims: o.KeepDims}, []*graph.Value{operand(n, "axes", []int{len(o.Axes)}, o.Axes)}
}

func encodeReduce(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.Reduce)
	return obj{reduceKeepDims: o.KeepDims}, []*graph.Value{operand(n, "axes", []int{len(o.Axes)}, o.Axes)}
}

func decodeMean(c *call) (graph.Op, error) {
	axes, err := c.axes()
	return graph.Mean{Axes: axes, KeepDims: c.options.bool(reduceKeepDims)}, err
}

func decodeReduce(f graph.ReduceFunc) func(*call) (graph.Op, error) {
	return func(c *call) (graph.Op, error) {
		axes, err := c.axes()
		return graph.Reduce{Fn: f, Axes: axes, KeepDims: c.options.bool(reduceKeepDims)}, err
	}
}

// axes takes the second input, each once and ascending; negative ones count from the last.
func (c *call) axes() ([]int, error) {
	axes, err := c.attribute("axes")
	for i, a := range axes {
		if a < 0 {
			axes[i] += len(c.in[0].Type.Shape)
		}
	}
	slices.Sort(axes)
	return slices.Compact(axes), err
}

// axis is the one dimension of the first input that an attribute names.
func (c *call) axis(attribute []int) (int, error) {
	rank := len(c.in[0].Type.Shape)
	if len(attribute) != 1 || attribute[0] < -rank || attribute[0] >= rank {
		return 0, fmt.Errorf("axis %v of input %v", attribute, c.in[0].Type.Shape)
	}
	return (attribute[0] + rank) % rank, nil
}

func encodePad(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.Pad)
	return obj{}, paddings(n, o.Before, o.After)
}

func decodePad(c *call) (graph.Op, error) {
	before, after, err := c.paddings()
	return graph.Pad{Before: before, After: after}, err
}

// paddings are how much comes before and after each dimension, as a constant of pairs.
func paddings(n *graph.Node, before, after []int) []*graph.Value {
	var pairs []int
	for i := range before {
		pairs = append(pairs, before[i], after[i])
	}
	return []*graph.Value{operand(n, "paddings", []int{len(before), 2}, pairs)}
}

func (c *call) paddings() (before, after []int, err error) {
	pairs, err := c.attribute("paddings")
	for i := 0; i+1 < len(pairs); i += 2 {
		before, after = append(before, pairs[i]), append(after, pairs[i+1])
	}
	return before, after, err
}

func encodeReshape(n *graph.Node) (obj, []*graph.Value) {
	shape := n.Op.(graph.Reshape).Shape
	return obj{reshapeNewShape: int32s(shape)}, []*graph.Value{operand(n, "shape", []int{len(shape)}, shape)}
}

// decodeReshape takes the shape from the second input, or without one from the options; one dimension may be -1.
func decodeReshape(c *call) (graph.Op, error) {
	var shape []int
	if len(c.in) > 1 {
		var err error
		if shape, err = c.attribute("shape"); err != nil {
			return nil, err
		}
	} else {
		for _, d := range c.options.int32s(reshapeNewShape) {
			shape = append(shape, int(d))
		}
	}
	if len(shape) > maxRank {
		return nil, fmt.Errorf("shape of %d dimensions", len(shape))
	}
	if free := slices.Index(shape, -1); free >= 0 {
		rest := 1
		for i, d := range shape {
			if i != free && (d < 1 || d > graph.MaxElements/rest) {
				return nil, fmt.Errorf("shape %v", shape)
			}
			if i != free {
				rest *= d
			}
		}
		shape[free] = c.in[0].Type.Elements() / rest
	}
	return graph.Reshape{Shape: shape}, nil
}

func decodeQuantize(c *call) (graph.Op, error) {
	return graph.Quantize{To: c.out.DType}, nil
}

// maxRank is the most dimensions of a tensor, as in TFLite's runtime.
const maxRank = 8

// operand is an attribute as a constant input.
func operand(n *graph.Node, name string, shape, data []int) *graph.Value {
	return graph.Const(n.Out.Name+"/"+name, graph.Type{DType: graph.Int32, Shape: shape}, int32s(data))
}

// attribute takes the second input, a constant of integers, from the call.
func (c *call) attribute(name string) ([]int, error) {
	all, err := c.attributes(name)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// attributes takes the inputs behind the first, constants of integers.
func (c *call) attributes(names ...string) ([][]int, error) {
	if len(c.in) != 1+len(names) {
		return nil, fmt.Errorf("%d inputs: want %d", len(c.in), 1+len(names))
	}
	all := make([][]int, len(names))
	for i, v := range c.in[1:] {
		s, err := numbers(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", names[i], err)
		}
		all[i] = s
	}
	c.in = c.in[:1]
	return all, nil
}

// step adds an operator on the way to the call's, which the file has no tensor for. Its result has the quantization of
// the first input: such operators only move elements.
func (c *call) step(op graph.Op, in ...*graph.Value) (*graph.Value, error) {
	// A file has as many operators as it describes, but for these, and their names are made of one of its.
	if c.f.charge(0, 1, tableCost+len(c.name)); c.f.err != nil {
		return nil, c.f.err
	}
	c.steps++
	v := c.g.Apply(fmt.Sprintf("%s/%d", c.name, c.steps), op, in...)
	v.Type.Quant, v.Range = in[0].Type.Quant, in[0].Range
	_, err := v.Def.Infer()
	return v, err
}

// numbers are the elements of a short constant of integers.
func numbers(v *graph.Value) ([]int, error) {
	if n := v.Type.Elements(); v.Constant() && n > maxInputs {
		return nil, fmt.Errorf("%d elements", n)
	}
	var s []int
	switch d := v.Data.(type) {
	case []int32:
		for _, x := range d {
			s = append(s, int(x))
		}
	case []int64:
		for _, x := range d {
			if int64(int32(x)) != x {
				return nil, fmt.Errorf("%d is no index", x)
			}
			s = append(s, int(x))
		}
	default:
		return nil, errors.New("not a constant of integers")
	}
	return s, nil
}

func int32s(s []int) []int32 {
	t := make([]int32, len(s))
	for i, x := range s {
		t[i] = int32(x)
	}
	return t
}
