package lint

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// coralSource is Coral's page on what its compiler takes.
func coralSource(section string) string {
	return "Coral, TensorFlow models on the Edge TPU (docs/edgetpu/models-intro), " + section
}

// edgeTPUBehind is no rule about one operator: check applies it to those behind the first refusal.
var edgeTPUBehind = Rule{"edgetpu-behind", EdgeTPU, Refused, "no refused operator before it: the compiler makes one piece, from the input on",
	coralSource("Compiling"), nil, nil}

// edgeTPURules are the Edge TPU's, as its documentation has them: its compiler is not open.
var edgeTPURules = []Rule{
	{"edgetpu-op", EdgeTPU, Refused, "an operator of its table", coralSource("Supported operations"),
		[]string{"hard_swish", "dequantize", "depth_to_space", "mirror_pad", "tile", "batch_norm"}, never("the Edge TPU has no such operator")},
	{"edgetpu-type", EdgeTPU, Refused, "8-bit integers with a scale throughout", coralSource("Model requirements"), nil, edgeTPUTypes},
	{"edgetpu-shape", EdgeTPU, Refused, "tensor sizes that are constants", coralSource("Model requirements"), ofComputed, computedShape},
	{"edgetpu-static", EdgeTPU, Refused, "weights that are constants", coralSource("Model requirements"), withWeights, constantWeights},
	{"edgetpu-dims", EdgeTPU, Refused, "tensors of which only the three innermost dimensions are larger than 1: batch 1", coralSource("Model requirements"), nil, innermost3},
	{"edgetpu-fused", EdgeTPU, Refused, "no activation that is part of it", coralSource("Supported operations"),
		[]string{"average_pool", "max_pool"}, fused},
	{"edgetpu-dilation", EdgeTPU, Refused, "the same dilation in both directions", coralSource("Supported operations"), []string{"conv2d", "depthwise_conv2d"}, evenDilation},
	{"edgetpu-concat", EdgeTPU, Refused, "of constants only one, of zeros, beside one other input", coralSource("Supported operations"), []string{"concat"}, zeroPadding},
	{"edgetpu-dense", EdgeTPU, Refused, "a one-dimensional result", coralSource("Supported operations"), []string{"fully_connected"}, oneRow},
	{"edgetpu-mean", EdgeTPU, Refused, "no mean over the batch, and over channels only of a multiple of four", coralSource("Supported operations"), []string{"mean"}, meanOfFours},
	{"edgetpu-reduce", EdgeTPU, Refused, "nothing reduced over the batch", coralSource("Supported operations"), []string{"reduce_max", "reduce_min"}, withinImages},
	{"edgetpu-slice", EdgeTPU, Refused, "slices in steps of 1", coralSource("Supported operations"), []string{"strided_slice"}, steps},
	{"edgetpu-softmax", EdgeTPU, Refused, "one row of at most 16000 elements", coralSource("Supported operations"), []string{"softmax"}, shortRow},
	{"edgetpu-resize", EdgeTPU, Slow, "sizes small enough: others are left to the CPU, the documentation does not say which", coralSource("Supported operations"),
		[]string{"resize_bilinear", "resize_nearest"}, never("whether it is taken depends on its size")},
}

// edgeTPUTypes says of a QUANTIZE of float32 what is to be done about it: the compiler leaves it to the CPU.
func edgeTPUTypes(n *graph.Node) string {
	if quantizesFloat(n) {
		return "it takes float32, which stays on the CPU: convert with int8 input"
	}
	if reason := want("int8", "uint8")(n); reason != "" {
		return reason
	}
	if slices.Contains(withWeights, n.Op.Name()) {
		if d := n.In[1].Type.DType; d != graph.Int8 && d != graph.UInt8 {
			return fmt.Sprintf("%v weights: want int8 or uint8", d)
		}
	}
	return ""
}

func innermost3(n *graph.Node) string {
	for _, v := range data(n) {
		for _, d := range v.Type.Shape[:max(len(v.Type.Shape)-3, 0)] {
			if d > 1 {
				return fmt.Sprintf("%q is %v: outside of the three innermost dimensions want 1", v.Name, v.Type.Shape)
			}
		}
	}
	return ""
}

func evenDilation(n *graph.Node) string {
	if w, _, _ := window(n); w.Dilation[0] != w.Dilation[1] {
		return fmt.Sprintf("dilation %d x %d", w.Dilation[0], w.Dilation[1])
	}
	return ""
}

func zeroPadding(n *graph.Node) string {
	cs := constants(n)
	if len(cs) == 0 {
		return ""
	}
	if len(cs) > 1 || len(n.In) != 2 {
		return fmt.Sprintf("%d constants among %d inputs", len(cs), len(n.In))
	}
	zero := int32(0)
	if q := cs[0].Type.Quant; q != nil {
		_, zero = q.At(0)
	}
	if q, ok := cs[0].Data.([]int8); !ok || slices.ContainsFunc(q, func(x int8) bool { return int32(x) != zero }) {
		return fmt.Sprintf("constant %q is not of zeros", cs[0].Name)
	}
	return ""
}

func oneRow(n *graph.Node) string {
	if s := n.Out.Type.Shape; n.Out.Type.Elements() != s[len(s)-1] {
		return fmt.Sprintf("the result is %v: want one row", s)
	}
	return ""
}

func meanOfFours(n *graph.Node) string {
	axes, shape := n.Op.(graph.Mean).Axes, n.In[0].Type.Shape
	last := len(shape) - 1
	if axes[0] == 0 || axes[len(axes)-1] == last && shape[last]%4 != 0 {
		return fmt.Sprintf("a mean over axes %v of %v", axes, shape)
	}
	return ""
}

func withinImages(n *graph.Node) string {
	if axes := n.Op.(graph.Reduce).Axes; axes[0] == 0 {
		return fmt.Sprintf("reduced over axes %v", axes)
	}
	return ""
}

func shortRow(n *graph.Node) string {
	s := n.In[0].Type.Shape
	if last := s[len(s)-1]; n.In[0].Type.Elements() != last || last > 16000 {
		return fmt.Sprintf("its input is %v: want one row of at most 16000", s)
	}
	return ""
}
