package lint

import (
	"fmt"
	"math"
	"slices"

	"mnet-edge/graph"
)

// xnnpackSource is the delegate's own code, function by function; lint's tests hold the rules to what it takes.
func xnnpackSource(function string) string {
	return "TensorFlow Lite 2.20, lite/delegates/xnnpack/xnnpack_delegate.cc, " + function
}

// xnnpackRules are XNNPACK's. An operator is taken by itself, wherever it stands.
var xnnpackRules = []Rule{
	{"xnnpack-op", XNNPACK, Refused, "an operator that it has", xnnpackSource("VisitNode"),
		[]string{"resize_nearest", "mirror_pad", "tile", "log", "pow", "l2_normalization", "relu_0_to_1", "batch_norm"}, never("XNNPACK has no such operator")},
	{"xnnpack-float-only", XNNPACK, Refused, "float32 where it has no integer kernel", xnnpackSource("CheckTensorFloatType"),
		[]string{"average_pool", "softmax", "hard_swish", "activate"}, floatOnly},
	{"xnnpack-type", XNNPACK, Refused, "float32, or int8 or uint8 with a scale", xnnpackSource("CheckTensorFloatOrQUInt8Type"),
		nil, xnnpackTypes},
	{"xnnpack-mixed", XNNPACK, Refused, "inputs and result of one type", xnnpackSource("VisitBinaryNode, VisitConv2DNode"),
		[]string{"conv2d", "depthwise_conv2d", "fully_connected", "add", "sub", "mul"}, oneKind},
	{"xnnpack-rank", XNNPACK, Refused, "at most 6 dimensions", xnnpackSource("CheckTensorShape") + "; XNN_MAX_TENSOR_DIMS", nil, rank(6)},
	{"xnnpack-shape", XNNPACK, Refused, "shapes that are constants", xnnpackSource("VisitReshapeNode, CheckTensorStaticAllocation"), ofComputed, computedShape},
	{"xnnpack-weights", XNNPACK, Refused, "weights and bias that are constants", xnnpackSource("CheckTensorStaticAllocation"), withWeights, constantWeights},
	{"xnnpack-int4", XNNPACK, Refused, "weights of 8 bits where activations are integers; of a fully connected layer int4 with a scale for each channel and an even number of inputs", xnnpackSource("CheckTensorFloat32OrQCInt8Type"), withWeights, int4Weights},
	{"xnnpack-dynamic", XNNPACK, Refused, "float32 weights of a depthwise convolution whose activations are", xnnpackSource("VisitDepthwiseConv2DNode"),
		[]string{"depthwise_conv2d"}, dynamicWeights},
	{"xnnpack-symmetric", XNNPACK, Refused, "int8 weights with zero point 0", xnnpackSource("CheckTensorFloat32OrQCInt8Type"), withWeights, symmetricWeights},
	{"xnnpack-add-scale", XNNPACK, Refused, "scale of each input over the result's in [2^-10, 2^8)", xnnpackSource("VisitBinaryNode"),
		[]string{"add", "sub"}, addScales},
	{"xnnpack-mul-scale", XNNPACK, Refused, "product of the inputs' scales over the result's in [2^-16, 2^8)", xnnpackSource("VisitBinaryNode"),
		[]string{"mul"}, mulScales},
	{"xnnpack-quantize", XNNPACK, Refused, "of integers: one type, and scales in a ratio of 2^-8 to 2^7", xnnpackSource("VisitUnaryNode"),
		[]string{"quantize"}, requantizes},
	{"xnnpack-concat", XNNPACK, Refused, "2 to 5 inputs", xnnpackSource("VisitConcatenationNode"), []string{"concat"}, fewInputs},
	{"xnnpack-slice", XNNPACK, Refused, "slices in steps of 1", xnnpackSource("VisitStridedSliceNode"), []string{"strided_slice"}, steps},
	{"xnnpack-pool-stride", XNNPACK, Refused, "a stride no larger than the window", xnnpackSource("CheckPoolingParams"),
		[]string{"average_pool", "max_pool"}, strideWithinWindow},
	{"xnnpack-transpose-stride", XNNPACK, Refused, "of a transposed convolution with padding, a stride no larger than the window", "observed with TensorFlow Lite 2.20",
		[]string{"transpose_conv2d"}, paddedStrideWithinWindow},
	{"xnnpack-block", XNNPACK, Refused, "blocks of more than 1", "observed with TensorFlow Lite 2.20", []string{"space_to_depth", "depth_to_space"}, realBlock},
	{"xnnpack-slope", XNNPACK, Refused, "of a leaky ReLU a slope that is a normal number, of a PReLU one that is a constant", xnnpackSource("VisitUnaryNode, VisitPreluNode"),
		[]string{"leaky_relu", "prelu"}, realSlope},
	{"xnnpack-softmax", XNNPACK, Refused, "beta 1", xnnpackSource("VisitSoftmaxNode"), []string{"softmax"}, betaOne},
}

// Rules whose breach by one operator keeps XNNPACK from all: whole applies them. At the first two it ends the process.
var (
	xnnpackUnread = Rule{"xnnpack-unread", XNNPACK, Refused, "that somebody reads every result: XNNPACK ends the process in optimizing what nobody does",
		"observed with TensorFlow Lite 2.20, xnn_subgraph_optimize", nil, nil}
	xnnpackTransposeImage = Rule{"xnnpack-transpose-image", XNNPACK, Refused, "of a transposed convolution a stride no larger than its result: XNNPACK may end the process at others",
		"observed with TensorFlow Lite 2.20", nil, nil}
	xnnpackSumScale = Rule{"xnnpack-sum-scale", XNNPACK, Refused, "scale of the input times that of the weights, over the result's, below 2^8: else the whole model fails",
		"XNNPACK as of TensorFlow Lite 2.20, src/operators/convolution-nhwc.c, fully-connected-nc.c", nil, nil}
)

// whole is the first of those rules that a graph breaks, and how; reason is "" of a graph that breaks none. Of the sums' scales an operator that
// XNNPACK does not get breaks nothing.
func whole(g *graph.Graph, computed []int) (Rule, string) {
	if r, reason := Fatal(g); reason != "" {
		return r, reason
	}
	for i, n := range g.Nodes {
		if !slices.Contains(withWeights, n.Op.Name()) || len(findings(i, n, slices.Contains(computed, i), XNNPACK)) > 0 {
			continue
		}
		if reason := sumScales(n); reason != "" {
			return xnnpackSumScale, fmt.Sprintf("of %q %s", n.Out.Name, reason)
		}
	}
	return Rule{}, ""
}

// Fatal is the rule of a graph at which XNNPACK ends the process, and what breaks it; reason is "" of a graph without. infer/tflitec keeps
// such models from XNNPACK.
func Fatal(g *graph.Graph) (r Rule, reason string) {
	if v := g.Unread(); v != nil {
		return xnnpackUnread, fmt.Sprintf("nobody reads %q", v.Name)
	}
	for _, n := range g.Nodes {
		if op, ok := n.Op.(graph.TransposeConv2D); ok && (op.Stride[0] > op.Size[0] || op.Stride[1] > op.Size[1]) {
			return xnnpackTransposeImage, fmt.Sprintf("the stride of %q is larger than its result", n.Out.Name)
		}
	}
	return Rule{}, ""
}

func floatOnly(n *graph.Node) string {
	if d := n.Out.Type.DType; d != graph.Float32 {
		return fmt.Sprintf("XNNPACK has this operator for float32 only, it is %v", d)
	}
	return ""
}

// xnnpackTypes lets pass what makes float32 of float16 weights: XNNPACK takes them as they are.
func xnnpackTypes(n *graph.Node) string {
	if _, ok := n.Op.(graph.Dequantize); ok && n.In[0].Type.DType == graph.Float16 && n.In[0].Constant() {
		return ""
	}
	return want("float32", "int8", "uint8")(n)
}

func int4Weights(n *graph.Node) string {
	w := n.In[1].Type
	if _, fully := n.Op.(graph.FullyConnected); fully && w.DType == graph.Int4 && len(w.Quant.Scale) > 1 && w.Shape[1]%2 == 0 {
		return ""
	}
	if w.DType == graph.Int4 && n.In[0].Type.DType != graph.Float32 {
		return fmt.Sprintf("int4 weights and %v activations", n.In[0].Type.DType)
	}
	return ""
}

func dynamicWeights(n *graph.Node) string {
	if w := n.In[1].Type.DType; w != graph.Float32 && n.In[0].Type.DType == graph.Float32 {
		return fmt.Sprintf("%v weights and float32 activations", w)
	}
	return ""
}

func constantWeights(n *graph.Node) string {
	for _, v := range n.In[1:] {
		if !static(v) {
			return fmt.Sprintf("weight %q is computed", v.Name)
		}
	}
	return ""
}

func symmetricWeights(n *graph.Node) string {
	if w := n.In[1].Type; w.DType == graph.Int8 && w.Quant != nil {
		for _, z := range w.Quant.Zero {
			if z != 0 {
				return fmt.Sprintf("weights with zero point %d", z)
			}
		}
	}
	return ""
}

func addScales(n *graph.Node) string {
	out, ok := scale(n.Out)
	if !ok {
		return ""
	}
	for _, v := range n.In {
		if s, ok := scale(v); ok {
			if ratio := s / out; ratio < 1./1024 || ratio >= 256 {
				return fmt.Sprintf("the scale of %q is %.4g of the result's", v.Name, ratio)
			}
		}
	}
	return ""
}

func mulScales(n *graph.Node) string {
	a, okA := scale(n.In[0])
	b, okB := scale(n.In[1])
	out, okOut := scale(n.Out)
	if !okA || !okB || !okOut {
		return ""
	}
	if ratio := a * b / out; ratio < 1./65536 || ratio >= 256 {
		return fmt.Sprintf("the product of the inputs' scales is %.4g of the result's", ratio)
	}
	return ""
}

func sumScales(n *graph.Node) string {
	x, okX := scale(n.In[0])
	out, okOut := scale(n.Out)
	if w := n.In[1].Type.Quant; okX && okOut && w != nil {
		if ratio := x * slices.Max(w.Scale) / out; ratio >= 256 {
			return fmt.Sprintf("the scale of its sums is %.4g of the result's", ratio)
		}
	}
	return ""
}

func requantizes(n *graph.Node) string {
	from, ok := scale(n.In[0])
	if n.In[0].Type.DType == graph.Float32 || !ok {
		return ""
	}
	if reason := oneKind(n); reason != "" {
		return reason
	}
	to, _ := scale(n.Out)
	if ratio := from / to; ratio < 1./256 || ratio > 128 {
		return fmt.Sprintf("the input's scale is %.4g of the result's", ratio)
	}
	return ""
}

func fewInputs(n *graph.Node) string {
	if len(n.In) < 2 || len(n.In) > 5 {
		return fmt.Sprintf("%d inputs", len(n.In))
	}
	return ""
}

func strideWithinWindow(n *graph.Node) string {
	w, k, _ := window(n)
	for i := range 2 {
		if w.Stride[i] > k[i] {
			return fmt.Sprintf("strides %d x %d of a window of %d x %d", w.Stride[0], w.Stride[1], k[0], k[1])
		}
	}
	return ""
}

func paddedStrideWithinWindow(n *graph.Node) string {
	op, k := n.Op.(graph.TransposeConv2D), n.In[1].Type.Shape
	if op.Padding == graph.Same && (op.Stride[0] > k[1] || op.Stride[1] > k[2]) {
		return fmt.Sprintf("strides %d x %d of a window of %d x %d", op.Stride[0], op.Stride[1], k[1], k[2])
	}
	return ""
}

func realBlock(n *graph.Node) string {
	switch op := n.Op.(type) {
	case graph.SpaceToDepth:
		if op.Block == 1 {
			return "a block of 1"
		}
	case graph.DepthToSpace:
		if op.Block == 1 {
			return "a block of 1"
		}
	}
	return ""
}

func realSlope(n *graph.Node) string {
	switch op := n.Op.(type) {
	case graph.LeakyReLU:
		const leastNormal = 0x1p-126
		if a := math.Abs(float64(op.Alpha)); !(a >= leastNormal && a <= math.MaxFloat32) {
			return fmt.Sprintf("a slope of %v", op.Alpha)
		}
	case graph.PReLU:
		if !static(n.In[1]) {
			return fmt.Sprintf("slope %q is computed", n.In[1].Name)
		}
	}
	return ""
}

func betaOne(n *graph.Node) string {
	if b := n.Op.(graph.Softmax).Beta; b != 1 {
		return fmt.Sprintf("beta %v", b)
	}
	return ""
}
