package tflite

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"mnet-edge/graph"
)

// codec is how an operator of the graph is written, and read. A new operator is a new entry of codecs.
type codec struct {
	code    int32    // BuiltinOperator
	options uint8    // the member of BuiltinOptions, 0 for none
	biased  bool     // the last input may be a bias that is -1; runtimes fall over a -1 in any other place
	several bool     // there may be several results; decode is called for each
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

// codecs are by the name of the graph's operator, or of the activation where an operator is nothing else.
var codecs = map[string]*codec{
	"conv2d": {code: opConv2D, options: 1, version: convVersion, encode: encodeConv, decode: decodeConv,
		since: []string{"1.5.0", "1.14.0", "1.14.0", "2.3.0", "2.4.0", "2.9.0", "2.11.0"}},
	"depthwise_conv2d": {code: opDepthwiseConv2D, options: 2, version: depthwiseVersion, encode: encodeDepthwise, decode: decodeDepthwise,
		since: []string{"1.5.0", "1.12.0", "1.14.0", "2.2.0", "2.3.0", "2.3.0", "2.11.0"}},
	"fully_connected": {code: opFullyConnected, options: 8, biased: true, version: denseVersion, encode: encodeDense, decode: decodeDense,
		since: []string{"1.5.0", "1.10.0", "1.14.0", "1.14.0", "2.0.0", "2.1.0", "2.3.0", "2.3.0", "2.3.0", "2.11.0", "2.15.0", "2.17.0"}},
	"mean":    {code: opMean, options: 27, version: byType, encode: encodeReduce, decode: decodeMean, since: []string{"1.6.0", "1.14.0", "2.4.0"}},
	"pad":     {code: opPad, options: 22, version: padVersion, encode: encodePad, decode: decodePad, since: []string{"1.5.0", "1.14.0", "2.4.0", "2.6.0"}},
	"reshape": {code: opReshape, options: 17, version: one, encode: encodeReshape, decode: decodeReshape, since: []string{"1.5.0"}},
	"relu":    {code: opReLU, version: byType, encode: plain, decode: always(graph.Activate{Act: graph.ReLU}), since: []string{"1.5.0", "2.1.0", "2.5.0"}},
	"relu6":   {code: opReLU6, version: byType, encode: plain, decode: always(graph.Activate{Act: graph.ReLU6}), since: []string{"1.5.0", "1.14.0", "2.5.0"}},
	"add": {code: opAdd, options: 11, version: byType, encode: encodeArithmetic, decode: decodeArithmetic(graph.Add),
		since: []string{"1.5.0", "1.14.0", "2.4.0"}},
	"sub": {code: opSub, options: 28, version: subVersion, encode: encodeArithmetic, decode: decodeArithmetic(graph.Sub),
		since: []string{"1.6.0", "1.14.0", "2.3.0", "2.4.0", "2.4.0"}},
	"mul": {code: opMul, options: 21, version: mulVersion, encode: encodeArithmetic, decode: decodeArithmetic(graph.Mul),
		since: []string{"1.5.0", "1.14.0", "1.15.0", "2.3.0"}},
	"average_pool": {code: opAveragePool2D, options: 5, version: byType, encode: encodePool, decode: decodePool(graph.Average),
		since: []string{"1.5.0", "1.14.0", "2.3.0"}},
	"max_pool":   {code: opMaxPool2D, options: 5, version: byType, encode: encodePool, decode: decodePool(graph.Max), since: []string{"1.5.0", "1.14.0", "2.3.0"}},
	"concat":     {code: opConcatenation, options: 10, version: byType, encode: encodeConcat, decode: decodeConcat, since: []string{"1.5.0", "1.14.0", "2.3.0"}},
	"hard_swish": {code: opHardSwish, options: 91, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.HardSwish}), since: []string{"1.15.0"}},
	"logistic":   {code: opLogistic, version: byType, encode: plain, decode: always(graph.Unary{Fn: graph.Logistic}), since: []string{"1.14.0", "1.14.0", "2.3.0"}},
	"softmax":    {code: opSoftmax, options: 9, version: byType, encode: encodeSoftmax, decode: decodeSoftmax, since: []string{"1.5.0", "1.14.0", "2.3.0"}},
	"resize_bilinear": {code: opResizeBilinear, options: 15, version: bilinearVersion,
		encode: encodeResize(bilinearCorners), decode: decodeResize(graph.Bilinear, bilinearCorners), since: []string{"1.7.0", "1.14.0", "2.2.0", "2.5.0"}},
	"resize_nearest": {code: opResizeNearestNeighbor, options: 74, version: nearestVersion,
		encode: encodeResize(nearestCorners), decode: decodeResize(graph.Nearest, nearestCorners), since: []string{"1.13.1", "1.14.0", "2.3.0", "2.4.0"}},
	"transpose": {code: opTranspose, options: 26, version: transposeVersion, encode: encodeTranspose, decode: decodeTranspose,
		since: []string{"1.6.0", "1.14.0", "1.15.0", "2.3.0", "2.4.0", "2.12.0"}},
	"quantize": {code: opQuantize, options: 89, version: oneOr(2, toInt16), encode: plain, decode: decodeQuantize, since: []string{"1.14.0", "1.15.0"}},
	"dequantize": {code: opDequantize, options: 38, version: byType, encode: plain, decode: always(graph.Dequantize{}),
		since: []string{"1.13.1", "1.14.0", "1.15.0"}},
	"div": {code: opDiv, options: 29, version: oneOr(2, repeats), encode: encodeArithmetic, decode: decodeArithmetic(graph.Div),
		since: []string{"1.6.0", "2.3.0"}},
	"leaky_relu": {code: opLeakyReLU, options: 75, version: one, encode: encodeLeaky, decode: decodeLeaky, since: []string{"1.13.1"}},
	"prelu":      {code: opPReLU, version: one, encode: plain, decode: always(graph.PReLU{}), since: []string{"1.8.0"}},
	"maximum": {code: opMaximum, options: 39, version: oneOr(3, repeats), encode: plain, decode: always(graph.Pair{Fn: graph.Maximum}),
		since: []string{"1.14.0", "1.14.0", "2.3.0"}},
	"minimum": {code: opMinimum, options: 39, version: oneOr(3, repeats), encode: plain, decode: always(graph.Pair{Fn: graph.Minimum}),
		since: []string{"1.14.0", "1.14.0", "2.3.0"}},
	"elu":          {code: opElu, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Elu}), since: []string{"1.14.0"}},
	"tanh":         {code: opTanh, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Tanh}), since: []string{"1.14.0"}},
	"exp":          {code: opExp, options: 33, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Exp}), since: []string{"1.7.0"}},
	"abs":          {code: opAbs, options: 78, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Abs}), since: []string{"1.13.0"}},
	"neg":          {code: opNeg, options: 42, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Neg}), since: []string{"1.9.0"}},
	"sqrt":         {code: opSqrt, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Sqrt}), since: []string{"1.10.0"}},
	"rsqrt":        {code: opRsqrt, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Rsqrt}), since: []string{"1.10.0"}},
	"square":       {code: opSquare, options: 66, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Square}), since: []string{"1.12.0"}},
	"floor":        {code: opFloor, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Floor}), since: []string{"1.9.0"}},
	"ceil":         {code: opCeil, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Ceil}), since: []string{"1.14.0"}},
	"round":        {code: opRound, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Round}), since: []string{"1.14.0"}},
	"relu_n1_to_1": {code: opReLUN1To1, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Clip1}), since: []string{"1.5.0"}},
	"relu_0_to_1":  {code: opReLU0To1, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Clip01}), since: []string{"2.10.0"}},
	"gelu":         gelu,
	"gelu_tanh":    gelu,
	"squared_difference": {code: opSquaredDifference, options: 76, version: one, encode: plain, decode: always(graph.Pair{Fn: graph.SquaredDifference}),
		since: []string{"1.13.1"}},
	"slice": {code: opSlice, options: 48, version: sliceVersion, encode: encodeSlice, decode: decodeSlice,
		since: []string{"1.14.0", "1.14.0", "1.14.0", "2.4.0", "2.5.0"}},
	"strided_slice": {code: opStridedSlice, options: 32, version: stridedVersion, encode: encodeStrided, decode: decodeStrided,
		since: []string{"1.6.0", "1.14.0", "2.1.0", "2.2.0"}},
	"space_to_depth": {code: opSpaceToDepth, options: 19, version: oneOr(2, ofInt8), encode: encodeSpaceToDepth, decode: decodeSpaceToDepth,
		since: []string{"1.5.0", "1.14.0"}},
	"depth_to_space": {code: opDepthToSpace, options: 94, version: oneOr(2, ofInt8), encode: encodeDepthToSpace, decode: decodeDepthToSpace,
		since: []string{"2.1.0", "2.5.0"}},
	"mirror_pad": {code: opMirrorPad, options: 77, version: byType, encode: encodeMirrorPad, decode: decodeMirrorPad, since: []string{"1.13.1", "2.3.0", "2.12.0"}},
	"tile":       {code: opTile, options: 51, version: oneOr(3, ofInt8), encode: encodeTile, decode: decodeTile, since: []string{"1.10.1", "2.2.0", "2.8.0"}},
	"sum":        {code: opSum, options: 27, version: one, encode: encodeReduce, decode: decodeReduce(graph.Sum), since: []string{"1.10.0"}},
	"reduce_max": {code: opReduceMax, options: 27, version: byType, encode: encodeReduce, decode: decodeReduce(graph.Largest),
		since: []string{"1.11.0", "1.14.0", "2.5.0"}},
	"reduce_min": {code: opReduceMin, options: 27, version: byType, encode: encodeReduce, decode: decodeReduce(graph.Smallest),
		since: []string{"1.11.0", "1.14.0", "2.5.0"}},
	"log":              {code: opLog, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Log}), since: []string{"1.14.0"}},
	"sin":              {code: opSin, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Sin}), since: []string{"1.9.0"}},
	"cos":              {code: opCos, options: 84, version: one, encode: plain, decode: always(graph.Unary{Fn: graph.Cos}), since: []string{"1.14.0"}},
	"pow":              {code: opPow, options: 56, version: one, encode: plain, decode: always(graph.Pair{Fn: graph.Pow}), since: []string{"1.10.0"}},
	"l2_normalization": {code: opL2Normalization, options: 12, version: one, encode: plain, decode: decodeL2Norm, since: []string{"1.5.0"}},
	"batch_matmul":     {code: opBatchMatMul, options: 101, version: one, encode: encodeBatchMatMul, decode: decodeBatchMatMul, since: []string{"2.3.0"}},
	"transpose_conv2d": {code: opTransposeConv, options: 49, biased: true, version: oneOr(3, withBias), encode: encodeTransposeConv, decode: decodeTransposeConv,
		since: []string{"1.9.0", "2.2.0", "2.3.0"}},
}

// gelu is one operator of a file and two of the graph.
var gelu = &codec{code: opGelu, options: 116, version: one, encode: encodeGelu, decode: decodeGelu, since: []string{"2.9.0"}}

// readOnly are of operators that are read as others of the graph. Nothing is written by them: they have no version, encode and since.
var readOnly = []*codec{
	{code: opSqueeze, options: 30, decode: decodeSqueeze},              // as a reshape
	{code: opExpandDims, options: 52, decode: decodeExpandDims},        // as a reshape
	{code: opReverseV2, options: 81, decode: decodeReverse},            // as a slice
	{code: opSplit, options: 35, several: true, decode: decodeSplit},   // as a slice for each result
	{code: opSplitV, options: 79, several: true, decode: decodeSplitV}, // likewise
	{code: opUnpack, options: 64, several: true, decode: decodeUnpack}, // as a slice and a reshape for each result
	{code: opPack, options: 59, decode: decodePack},                    // as a concatenation of reshapes
}

// byCode are all codecs by the operator that they read.
var byCode = func() map[int32]*codec {
	m := map[int32]*codec{}
	for _, c := range slices.Concat(slices.Collect(maps.Values(codecs)), readOnly) {
		m[c.code] = c
	}
	return m
}()

// codecOf is the codec of a graph operator, or nil.
func codecOf(op graph.Op) *codec {
	if a, ok := op.(graph.Activate); ok {
		return codecs[a.Act.String()]
	}
	return codecs[op.Name()]
}

// Versions.

func one(*graph.Node) int { return 1 }

// oneOr is the rule of an operator that is of the given version where needed says so, and of the first elsewhere.
func oneOr(version int, needed func(*graph.Node) bool) func(*graph.Node) int {
	return func(n *graph.Node) int {
		if needed(n) {
			return version
		}
		return 1
	}
}

func ofInt8(n *graph.Node) bool   { return n.In[0].Type.DType == graph.Int8 }
func toInt16(n *graph.Node) bool  { return n.Out.Type.DType == graph.Int16 }
func withBias(n *graph.Node) bool { return len(n.In) > 2 }

// byType is the common rule: 1, for int8 2, for types of 16 bits 3.
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

// Attributes.

// plain is for operators without attributes.
func plain(*graph.Node) (obj, []*graph.Value) { return obj{}, nil }

func always(op graph.Op) func(*call) (graph.Op, error) {
	return func(*call) (graph.Op, error) { return op, nil }
}

func encodeConv(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.Conv2D)
	return windowOptions(o.Window, obj{
		convActivation: encodeActivation(o.Act), convDilationW: int32(o.Dilation[1]), convDilationW + 1: int32(o.Dilation[0]),
	}), missingBias(n)
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
	w, act, err := c.convolution(convDilationW, convActivation)
	return graph.Conv2D{Window: w, Act: act}, err
}

func encodeDepthwise(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.DepthwiseConv2D)
	multiplier := n.In[1].Type.Shape[3] / n.In[0].Type.Shape[3]
	return windowOptions(o.Window, obj{
		depthMultiplier: int32(multiplier), depthActivation: encodeActivation(o.Act),
		depthDilationW: int32(o.Dilation[1]), depthDilationW + 1: int32(o.Dilation[0]),
	}), missingBias(n)
}

// decodeDepthwise leaves the multiplier to the shapes, as the runtime does.
func decodeDepthwise(c *call) (graph.Op, error) {
	w, act, err := c.convolution(depthDilationW, depthActivation)
	return graph.DepthwiseConv2D{Window: w, Act: act}, err
}

// convolution reads what Conv2DOptions and DepthwiseConv2DOptions have in common. dilation is the number of
// dilation_w_factor; dilation_h_factor follows. Two inputs are refused: TFLite's kernel does too, but that of the
// depthwise one reads through a null pointer.
func (c *call) convolution(dilation, activation int) (w graph.Window, act graph.Activation, err error) {
	if len(c.in) != 3 {
		return w, act, fmt.Errorf("%d inputs: want input, weights and bias", len(c.in))
	}
	if w, err = c.window(); err != nil {
		return w, act, err
	}
	w.Dilation = [2]int{int(c.options.int32Or(dilation+1, 1)), int(c.options.int32Or(dilation, 1))}
	act, err = c.activation(activation)
	return w, act, err
}

// windowOptions completes options with the fields that those of convolutions and pools begin with.
func windowOptions(w graph.Window, o obj) obj {
	o[windowPadding], o[windowStrideW], o[windowStrideH] = int8(w.Padding), int32(w.Stride[1]), int32(w.Stride[0])
	return o
}

// window is the inverse of windowOptions. graph.Check bounds the numbers.
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

// linear refuses a fused activation, as runtimes do.
func (c *call) linear(id int) error {
	if c.options.int8(id) != activations[graph.Linear] {
		return fmt.Errorf("with a fused activation: %w", ErrUnsupported)
	}
	return nil
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

func encodeReduce(n *graph.Node) (obj, []*graph.Value) {
	o, _ := n.Op.(graph.Reduce)
	if m, ok := n.Op.(graph.Mean); ok { // which has the same attributes
		o.Axes, o.KeepDims = m.Axes, m.KeepDims
	}
	return obj{reduceKeepDims: o.KeepDims}, []*graph.Value{operand(n, "axes", o.Axes)}
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
	v := operand(n, "paddings", pairs)
	v.Type.Shape = []int{len(before), 2}
	return []*graph.Value{v}
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
	return obj{reshapeNewShape: int32s(shape)}, []*graph.Value{operand(n, "shape", shape)}
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
		shape = ints(c.options.int32s(reshapeNewShape))
	}
	if len(shape) > maxRank {
		return nil, fmt.Errorf("shape of %d dimensions", len(shape))
	}
	if free := slices.Index(shape, -1); free >= 0 {
		rest := 1
		for _, d := range slices.Concat(shape[:free], shape[free+1:]) {
			if d < 1 || d > graph.MaxElements/rest {
				return nil, fmt.Errorf("shape %v", shape)
			}
			rest *= d
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

// operand is an attribute as a constant input, a vector.
func operand(n *graph.Node, name string, data []int) *graph.Value {
	return graph.Const(n.Out.Name+"/"+name, graph.Type{DType: graph.Int32, Shape: []int{len(data)}}, int32s(data))
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
	switch d := v.Data.(type) {
	case []int32:
		return ints(d), nil
	case []int64:
		var s []int
		for _, x := range d {
			if int64(int32(x)) != x {
				return nil, fmt.Errorf("%d is no index", x)
			}
			s = append(s, int(x))
		}
		return s, nil
	}
	return nil, errors.New("not a constant of integers")
}

func ints(s []int32) []int {
	var t []int
	for _, x := range s {
		t = append(t, int(x))
	}
	return t
}

func int32s(s []int) []int32 {
	t := make([]int32, len(s))
	for i, x := range s {
		t[i] = int32(x)
	}
	return t
}
