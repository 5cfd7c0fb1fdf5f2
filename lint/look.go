package lint

import (
	"fmt"
	"slices"
	"strings"

	"mnet-edge/graph"
)

// What rules ask about a node.

// withWeights are the operators with weights.
var withWeights = []string{"conv2d", "depthwise_conv2d", "fully_connected"}

// data are the node's tensors that are neither weights nor biases: its inputs, constants among them, and its result.
func data(n *graph.Node) []*graph.Value {
	in := n.In
	if slices.Contains(withWeights, n.Op.Name()) {
		in = in[:1]
	}
	return append(slices.Clone(in), n.Out)
}

// static reports whether a value is known before the model runs: a constant, or one that is only turned to float32.
func static(v *graph.Value) bool {
	if v.Def != nil {
		_, ok := v.Def.Op.(graph.Dequantize)
		return ok && v.Def.In[0].Constant()
	}
	return v.Constant()
}

// kindOf is a tensor's type as rules tell them apart: "float32", "int8", "int16 without quantization".
func kindOf(t graph.Type) string {
	if t.DType == graph.Float32 || t.Quant != nil {
		return t.DType.String()
	}
	return t.DType.String() + " without quantization"
}

// want refuses data of other kinds.
func want(kinds ...string) func(*graph.Node) string {
	return func(n *graph.Node) string {
		for _, v := range data(n) {
			if k := kindOf(v.Type); !slices.Contains(kinds, k) {
				return fmt.Sprintf("%s %q: want %s", k, v.Name, strings.Join(kinds, " or "))
			}
		}
		return ""
	}
}

// oneKind refuses a mixture.
func oneKind(n *graph.Node) string {
	for _, v := range data(n) {
		if v.Type.DType != n.Out.Type.DType {
			return fmt.Sprintf("%v %q beside a result of %v", v.Type.DType, v.Name, n.Out.Type.DType)
		}
	}
	return ""
}

// rank refuses tensors of more dimensions.
func rank(most int) func(*graph.Node) string {
	return func(n *graph.Node) string {
		for _, v := range data(n) {
			if d := len(v.Type.Shape); d > most {
				return fmt.Sprintf("%q has %d dimensions: want at most %d", v.Name, d, most)
			}
		}
		return ""
	}
}

// batch is the size of a tensor's first dimension where it has four.
func batch(t graph.Type) int {
	if len(t.Shape) == 4 {
		return t.Shape[0]
	}
	return 1
}

// scale is a tensor's one scale; ok is false where it has none, or several.
func scale(v *graph.Value) (s float32, ok bool) {
	if q := v.Type.Quant; q != nil && len(q.Scale) == 1 {
		return q.Scale[0], true
	}
	return 0, false
}

// window is the geometry of a node that slides a kernel of {height, width}.
func window(n *graph.Node) (w graph.Window, kernel [2]int, ok bool) {
	switch op := n.Op.(type) {
	case graph.Conv2D:
		return op.Window, [2]int(n.In[1].Type.Shape[1:3]), true
	case graph.DepthwiseConv2D:
		return op.Window, [2]int(n.In[1].Type.Shape[1:3]), true
	case graph.Pool:
		return op.Window, op.Size, true
	}
	return graph.Window{}, [2]int{}, false
}

// strides refuses strides outside of a range.
func strides(most int) func(*graph.Node) string {
	return func(n *graph.Node) string {
		if w, _, ok := window(n); ok && max(w.Stride[0], w.Stride[1]) > most {
			return fmt.Sprintf("strides %d x %d: want at most %d", w.Stride[0], w.Stride[1], most)
		}
		return ""
	}
}

// fused refuses an activation that is part of the operator.
func fused(n *graph.Node) string {
	if a, ok := n.Op.(graph.Activated); ok && a.Fused() != graph.Linear {
		return fmt.Sprintf("%v is part of it", a.Fused())
	}
	return ""
}

// steps refuses a slice that leaves out elements.
func steps(n *graph.Node) string { return fmt.Sprintf("steps of %v", n.Op.(graph.Slice).Step) }

// never refuses an operator as such.
func never(reason string) func(*graph.Node) string {
	return func(*graph.Node) string { return reason }
}

// computedShape is for rules about computed shapes: what it is asked about has one.
func computedShape(*graph.Node) string {
	return "its shape is computed from the batch as the model runs: convert it with a fixed batch"
}

// constants are the node's inputs that are constants, weights and biases left out.
func constants(n *graph.Node) (vs []*graph.Value) {
	for _, v := range data(n) {
		if v.Constant() {
			vs = append(vs, v)
		}
	}
	return vs
}

// upsamples tells what integer upsampling the NPUs can do: by 2, 4 or 8, the same in both directions, of which one may have
// a single row or column that stays one.
func upsamples(n *graph.Node) bool {
	op, x := n.Op.(graph.Resize), n.In[0].Type.Shape
	h, w, oh, ow := x[1], x[2], op.Size[0], op.Size[1]
	if h == 1 && w == 1 || h == oh && w == ow {
		return true
	}
	if op.AlignCorners {
		h, w, oh, ow = h-1, w-1, oh-1, ow-1
	}
	if h < 1 || w < 1 || oh%h != 0 || ow%w != 0 {
		return false
	}
	down, across := oh/h, ow/w
	if down != across && (x[1] > 1 || down > 1) && (x[2] > 1 || across > 1) {
		return false
	}
	by := max(down, across)
	return by == 2 || by == 4 || by == 8
}

// weightSum is the largest sum of the magnitudes of an output channel's weights.
func weightSum(n *graph.Node) int {
	w := n.In[1]
	q, ok := w.Data.([]int8)
	if !ok {
		return 0
	}
	channels, step := w.Type.Shape[0], len(q)/w.Type.Shape[0]
	at := func(c, i int) int { return c*step + i }
	if _, dw := n.Op.(graph.DepthwiseConv2D); dw {
		channels = w.Type.Shape[3]
		step = len(q) / channels
		at = func(c, i int) int { return i*channels + c }
	}
	most := 0
	for c := range channels {
		sum := 0
		for i := range step {
			sum += max(int(q[at(c, i)]), -int(q[at(c, i)]))
		}
		most = max(most, sum)
	}
	return most
}
