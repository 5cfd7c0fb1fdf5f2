package lint

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// velaSource is the list that the compiler prints of itself; lint's tests hold the rules to what it did.
func velaSource(section string) string {
	return "Vela 5.2.0, --supported-ops-report, Ethos-U55 and Ethos-U65, " + section
}

// brick is the number of channels that the NPU keeps, and multiplies, together.
const brick = 16

// ethosURules are those of the Ethos-U55 and U65. An operator that Vela refuses runs on the CPU, others around it on the
// NPU.
var ethosURules = []Rule{
	{"ethos-u-op", EthosU, Refused, "an operator that it has", velaSource("summary table"), []string{"dequantize", "space_to_depth", "depth_to_space", "batch_norm"},
		never("Vela leaves this operator to the CPU")},
	{"ethos-u-type", EthosU, Refused, "integers with a scale", velaSource("generic constraints"), nil,
		want("int8", "uint8", "int16")},
	{"ethos-u-weights", EthosU, Refused, "int8 weights and an int32 bias that are constants", velaSource("CONV_2D, FULLY_CONNECTED"),
		withWeights, eightBitWeights},
	{"ethos-u-weight-sum", EthosU, Refused, "weights whose magnitudes add up to at most 8323072", velaSource("CONV_2D"), withWeights, weightsAddUp},
	{"ethos-u-conv-stride", EthosU, Refused, "strides up to 3; larger ones without padding and dilation", velaSource("CONV_2D, MAX_POOL_2D, AVERAGE_POOL_2D"),
		[]string{"conv2d", "average_pool", "max_pool"}, largeStride},
	{"ethos-u-depthwise-stride", EthosU, Refused, "strides up to 3", velaSource("DEPTHWISE_CONV_2D"), []string{"depthwise_conv2d"}, strides(3)},
	{"ethos-u-average-pool", EthosU, Refused, "a window of up to 8 x 8; without padding of up to 256 rows and 65536 elements",
		velaSource("AVERAGE_POOL_2D"), []string{"average_pool"}, averageWindow},
	{"ethos-u-max-pool", EthosU, Refused, "a window of up to 256 rows and 65536 elements", velaSource("MAX_POOL_2D"), []string{"max_pool"}, tallWindow},
	{"ethos-u-mean", EthosU, Refused, "batch 1, reduced axes shorter than 4096, of int16 at most 65536 elements, no mean over the channels of an image", velaSource("MEAN"),
		[]string{"mean"}, meanOfImage},
	{"ethos-u-resize", EthosU, Refused, "sides 2, 4 or 8 times as long, both alike; with half-pixel centres 2 times", velaSource("RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR"),
		[]string{"resize_bilinear", "resize_nearest"}, wholeUpsampling},
	{"ethos-u-slice", EthosU, Refused, "slices forward, and in steps along rows and columns alone", velaSource("STRIDED_SLICE"), []string{"strided_slice"}, alongImage},
	{"ethos-u-softmax", EthosU, Refused, "fewer than 65536 rows", velaSource("SOFTMAX"), []string{"softmax"}, fewRows},
	{"ethos-u-channels", EthosU, Slow, "channels in multiples of 16: it keeps and computes them in bricks of 16",
		"Arm Ethos-U55 NPU Technical Reference Manual, feature maps in NHCWB16", []string{"conv2d", "depthwise_conv2d", "fully_connected"}, wholeBricks},
	{"ethos-u-rescale", EthosU, Slow, "no change of scale beside the operators: a QUANTIZE between them is a pass over memory of its own",
		velaSource("QUANTIZE"), []string{"quantize"}, rescales},
}

func eightBitWeights(n *graph.Node) string {
	for i, v := range n.In[1:] {
		if !static(v) {
			return fmt.Sprintf("weight %q is computed", v.Name)
		}
		if d := v.Type.DType; i == 0 && d != graph.Int8 && d != graph.UInt8 {
			return fmt.Sprintf("%v weights: want int8", d)
		}
	}
	return ""
}

func weightsAddUp(n *graph.Node) string {
	const most = 8323072 // 127 * 2^16
	if sum := weightSum(n); sum > most {
		return fmt.Sprintf("the weights of a channel add up to %d: want at most %d", sum, most)
	}
	return ""
}

func largeStride(n *graph.Node) string {
	w, _, _ := window(n)
	if max(w.Stride[0], w.Stride[1]) > 3 && (w.Padding != graph.Valid || w.Dilation != [2]int{1, 1}) {
		return fmt.Sprintf("strides %d x %d with padding or dilation: want at most 3", w.Stride[0], w.Stride[1])
	}
	return ""
}

func averageWindow(n *graph.Node) string {
	w, k, _ := window(n)
	if w.Padding == graph.Valid {
		return tallWindow(n)
	}
	if max(k[0], k[1]) > 8 {
		return fmt.Sprintf("a padded window of %d x %d: want at most 8 x 8", k[0], k[1])
	}
	return ""
}

func tallWindow(n *graph.Node) string {
	if _, k, _ := window(n); k[0] > 256 || k[0]*k[1] > 1<<16 {
		return fmt.Sprintf("a window of %d x %d: want at most 256 rows and 65536 elements", k[0], k[1])
	}
	return ""
}

func meanOfImage(n *graph.Node) string {
	x, axes := n.In[0].Type.Shape, n.Op.(graph.Mean).Axes
	if b := batch(n.In[0].Type); b != 1 {
		return fmt.Sprintf("a batch of %d: want 1", b)
	}
	all := 1
	for _, a := range axes {
		if x[a] >= 4096 {
			return fmt.Sprintf("a mean over %d elements along axis %d: want fewer than 4096", x[a], a)
		}
		all *= x[a]
	}
	if n.In[0].Type.DType == graph.Int16 && all > 1<<16 {
		return fmt.Sprintf("a mean over %d elements of int16: want at most 65536", all)
	}
	if last := len(x) - 1; slices.Contains(axes, last) && len(x) >= 3 && x[last] > 1 && x[last-1] > 1 && x[last-2] > 1 {
		return fmt.Sprintf("a mean over the channels of %v", x)
	}
	return ""
}

func wholeUpsampling(n *graph.Node) string {
	op, x := n.Op.(graph.Resize), n.In[0].Type.Shape
	if !upsamples(n) {
		return fmt.Sprintf("from %d x %d to %d x %d: want 2, 4 or 8 times as large", x[1], x[2], op.Size[0], op.Size[1])
	}
	if by := max(op.Size[0]/x[1], op.Size[1]/x[2]); op.HalfPixel && op.Fn == graph.Bilinear && max(x[1], x[2]) > 1 && by > 2 {
		return fmt.Sprintf("half-pixel centres and %d times as large: want 2 times", by)
	}
	return ""
}

func alongImage(n *graph.Node) string {
	by := n.Op.(graph.Slice).Step
	if slices.Min(by) < 0 || by[len(by)-1] != 1 {
		return steps(n)
	}
	return ""
}

func fewRows(n *graph.Node) string {
	x := n.In[0].Type
	if rows := x.Elements() / x.Shape[len(x.Shape)-1]; rows >= 1<<16 {
		return fmt.Sprintf("%d rows: want fewer than 65536", rows)
	}
	return ""
}

// wholeBricks tells which part of a layer's multiplications is with channels that are only padding.
func wholeBricks(n *graph.Node) string {
	out := n.Out.Type.Shape[len(n.Out.Type.Shape)-1]
	if out%brick == 0 {
		return ""
	}
	padded := (out + brick - 1) / brick * brick
	return fmt.Sprintf("%d channels take the room and time of %d", out, padded)
}

func rescales(n *graph.Node) string {
	if n.In[0].Type.DType != graph.Float32 && n.In[0].Def != nil {
		return "only changes the scale"
	}
	return ""
}
