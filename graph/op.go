package graph

import (
	"fmt"
	"math"
	"slices"
)

// Op is an operator with its attributes. The set is closed: see the package comment.
type Op interface {
	// Name is the operator's name in a graph's text: "conv2d".
	Name() string
	// attrs is the text of the attributes, each " key=value", leaving out those at their usual values.
	attrs() string
	// shape is the result's; the number of inputs is right.
	shape(in []Type) ([]int, error)
}

// Activation is a limit on an operator's result, part of the operator.
type Activation uint8

const (
	Linear Activation = iota // none
	ReLU                     // at least 0
	ReLU6                    // 0 to 6
)

var activations = [...]string{Linear: "linear", ReLU: "relu", ReLU6: "relu6"}

func (a Activation) String() string { return activations[a] }

// Bounds is the real interval the activation limits to.
func (a Activation) Bounds() (lo, hi float64) {
	switch a {
	case ReLU:
		return 0, math.Inf(1)
	case ReLU6:
		return 0, 6
	}
	return math.Inf(-1), math.Inf(1)
}

// Padding says how a window meets the border.
type Padding uint8

const (
	Same  Padding = iota // zeros around, so that out = ceil(in / stride); the odd one goes after
	Valid                // no zeros: the window stays inside
)

var paddings = [...]string{Same: "same", Valid: "valid"}

func (p Padding) String() string { return paddings[p] }

// Window is the geometry of a sliding kernel: [2]int is {height, width}.
type Window struct {
	Stride   [2]int
	Dilation [2]int // distance of taps; 1 is a dense kernel
	Padding  Padding
}

// Dense is the window with equal strides and no dilation.
func Dense(stride int, p Padding) Window {
	return Window{Stride: [2]int{stride, stride}, Dilation: [2]int{1, 1}, Padding: p}
}

// Out is the output size and the zeros before the data along axis (0 height, 1 width) for in elements and k taps.
// Source: TFLite's ComputeOutSize and ComputePaddingWithOffset. out < 1 means that the window does not fit.
func (w Window) Out(axis, in, k int) (out, before int) {
	stride, span := w.Stride[axis], (k-1)*w.Dilation[axis]+1
	if w.Padding == Valid {
		if in < span {
			return 0, 0
		}
		return (in-span)/stride + 1, 0
	}
	out = (in + stride - 1) / stride
	return out, max((out-1)*stride+span-in, 0) / 2
}

// maxWindow bounds strides, dilations and the like so that sizes computed from them can't overflow.
const maxWindow = 1 << 15

// check holds the attributes to their bounds.
func (w Window) check() error {
	for i := range 2 {
		if w.Stride[i] < 1 || w.Stride[i] > maxWindow || w.Dilation[i] < 1 || w.Dilation[i] > maxWindow {
			return fmt.Errorf("stride %v, dilation %v: want 1 to %d", w.Stride, w.Dilation, maxWindow)
		}
	}
	if w.Padding > Valid {
		return fmt.Errorf("padding %d", w.Padding)
	}
	return nil
}

func (w Window) attrs() string {
	s := fmt.Sprintf(" stride=%s pad=%v", pair(w.Stride), w.Padding)
	if w.Dilation != [2]int{1, 1} {
		s += " dilation=" + pair(w.Dilation)
	}
	return s
}

func pair(p [2]int) string {
	if p[0] == p[1] {
		return fmt.Sprint(p[0])
	}
	return fmt.Sprintf("%dx%d", p[0], p[1])
}

func (a Activation) attrs() string {
	if a == Linear {
		return ""
	}
	return " act=" + a.String()
}

// Activated is an operator that can limit its result by an activation of its own.
type Activated interface {
	Op
	// Fused is the activation.
	Fused() Activation
	// WithActivation is the operator with another activation.
	WithActivation(Activation) Op
}

func (o Conv2D) Fused() Activation          { return o.Act }
func (o DepthwiseConv2D) Fused() Activation { return o.Act }
func (o FullyConnected) Fused() Activation  { return o.Act }
func (o Arithmetic) Fused() Activation      { return o.Act }
func (o Pool) Fused() Activation            { return o.Act }

func (o Conv2D) WithActivation(a Activation) Op          { o.Act = a; return o }
func (o DepthwiseConv2D) WithActivation(a Activation) Op { o.Act = a; return o }
func (o FullyConnected) WithActivation(a Activation) Op  { o.Act = a; return o }
func (o Arithmetic) WithActivation(a Activation) Op      { o.Act = a; return o }
func (o Pool) WithActivation(a Activation) Op            { o.Act = a; return o }

// The operators with weights, and the ones that any network has; more are in elementwise.go, spatial.go,
// rearrange.go, reduce.go and product.go.
type (
	// Conv2D is a convolution: out[n,y,x,o] = sum over taps and i of x * weight[o,ky,kx,i], plus bias[o].
	// Fewer input channels in the weight than in x make it a grouped convolution.
	Conv2D struct {
		Window
		Act Activation
	}
	// DepthwiseConv2D filters each channel on its own: output channel c*Multiplier+m sees input channel c.
	DepthwiseConv2D struct {
		Window
		Act Activation
	}
	// FullyConnected is out[n,o] = sum over i of x[n,i] * weight[o,i], plus bias[o]. Whatever the dimensions of x, its
	// elements are taken as rows of I. The result is (rows, O), or with KeepDims x's dimensions but for the last.
	FullyConnected struct {
		Act      Activation
		KeepDims bool
		// Asymmetric has to do with a float32 x and integer weights alone: x becomes integers with a zero point, not
		// around 0.
		Asymmetric bool
	}
	// BatchNorm is gamma * (x - mean) / sqrt(variance + Eps) + beta along the last axis.
	BatchNorm struct{ Eps float32 }
	// Activate is an activation as a node of its own.
	Activate struct{ Act Activation }
	// Pad surrounds dimension i with Before[i] and After[i] zeros (in an integer tensor: zero points).
	Pad struct{ Before, After []int }
	// Reshape gives the same elements another shape.
	Reshape struct{ Shape []int }
	// Quantize converts to the integer type DType; the result's quantization says how.
	Quantize struct{ To DType }
	// Dequantize converts to float32.
	Dequantize struct{}
)

func (Conv2D) Name() string          { return "conv2d" }
func (DepthwiseConv2D) Name() string { return "depthwise_conv2d" }
func (FullyConnected) Name() string  { return "fully_connected" }
func (BatchNorm) Name() string       { return "batch_norm" }
func (Activate) Name() string        { return "activate" }
func (Pad) Name() string             { return "pad" }
func (Reshape) Name() string         { return "reshape" }
func (Quantize) Name() string        { return "quantize" }
func (Dequantize) Name() string      { return "dequantize" }

func (o Conv2D) attrs() string          { return o.Window.attrs() + o.Act.attrs() }
func (o DepthwiseConv2D) attrs() string { return o.Window.attrs() + o.Act.attrs() }
func (o FullyConnected) attrs() string {
	s := o.Act.attrs() + keep(o.KeepDims)
	if o.Asymmetric {
		s += " asymmetric"
	}
	return s
}
func (o BatchNorm) attrs() string { return fmt.Sprintf(" eps=%v", o.Eps) }
func (o Activate) attrs() string  { return o.Act.attrs() }
func (o Pad) attrs() string       { return fmt.Sprintf(" before=%v after=%v", o.Before, o.After) }
func (Reshape) attrs() string     { return "" } // the result's shape says it
func (Quantize) attrs() string    { return "" }
func (Dequantize) attrs() string  { return "" }

func keep(dims bool) string {
	if dims {
		return " keep"
	}
	return ""
}

func (o Conv2D) shape(in []Type) ([]int, error) {
	x, w := in[0], in[1]
	if len(x.Shape) != 4 || len(w.Shape) != 4 {
		return nil, fmt.Errorf("input %v and weight %v: want 4 dimensions each", x.Shape, w.Shape)
	}
	out, group := w.Shape[0], w.Shape[3]
	if group < 1 || x.Shape[3] < 1 || x.Shape[3]%group != 0 || out%(x.Shape[3]/group) != 0 {
		return nil, fmt.Errorf("weight %v for %d input channels", w.Shape, x.Shape[3])
	}
	return o.slide(x.Shape, [2]int{w.Shape[1], w.Shape[2]}, out, in[2:])
}

func (o DepthwiseConv2D) shape(in []Type) ([]int, error) {
	x, w := in[0], in[1]
	if len(x.Shape) != 4 || len(w.Shape) != 4 || w.Shape[0] != 1 || x.Shape[3] < 1 || w.Shape[3]%x.Shape[3] != 0 {
		return nil, fmt.Errorf("depthwise weight %v for input %v", w.Shape, x.Shape)
	}
	return o.slide(x.Shape, [2]int{w.Shape[1], w.Shape[2]}, w.Shape[3], in[2:])
}

// slide is the shape of what comes of sliding a kernel with k taps and channels filters over x.
func (w Window) slide(x []int, k [2]int, channels int, bias []Type) ([]int, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	shape := []int{x[0], 0, 0, channels}
	for i := range 2 {
		if shape[1+i], _ = w.Out(i, x[1+i], k[i]); shape[1+i] < 1 {
			return nil, fmt.Errorf("kernel %v does not fit input %v", k, x)
		}
	}
	return shape, checkBias(bias, channels)
}

func (o FullyConnected) shape(in []Type) ([]int, error) {
	x, w := in[0], in[1]
	last := len(x.Shape) - 1
	if len(w.Shape) != 2 || last < 0 || w.Shape[1] < 1 || x.Elements()%w.Shape[1] != 0 ||
		o.KeepDims && x.Shape[last] != w.Shape[1] {
		return nil, fmt.Errorf("weight %v for input %v", w.Shape, x.Shape)
	}
	shape := []int{x.Elements() / w.Shape[1]}
	if o.KeepDims {
		shape = slices.Clone(x.Shape[:last])
	}
	return append(shape, w.Shape[0]), checkBias(in[2:], w.Shape[0])
}

func (o BatchNorm) shape(in []Type) ([]int, error) {
	x := in[0]
	if len(x.Shape) == 0 {
		return nil, fmt.Errorf("scalar input")
	}
	for _, p := range in[1:] {
		if !slices.Equal(p.Shape, x.Shape[len(x.Shape)-1:]) {
			return nil, fmt.Errorf("parameter %v for input %v", p.Shape, x.Shape)
		}
	}
	return x.Shape, nil
}

func (o Activate) shape(in []Type) ([]int, error) { return in[0].Shape, nil }

func (o Pad) shape(in []Type) ([]int, error) {
	x := in[0]
	if len(o.Before) != len(x.Shape) || len(o.After) != len(x.Shape) {
		return nil, fmt.Errorf("padding %v, %v for input %v", o.Before, o.After, x.Shape)
	}
	shape := slices.Clone(x.Shape)
	for i := range shape {
		if b, a := o.Before[i], o.After[i]; b < 0 || a < 0 || b > MaxElements || a > MaxElements {
			return nil, fmt.Errorf("padding %v, %v", o.Before, o.After)
		}
		shape[i] += o.Before[i] + o.After[i]
	}
	return shape, nil
}

func (o Reshape) shape(in []Type) ([]int, error) {
	t := Type{DType: in[0].DType, Shape: o.Shape}
	if err := t.check(); err != nil {
		return nil, err
	}
	if t.Elements() != in[0].Elements() {
		return nil, fmt.Errorf("%v to %v changes the number of elements", in[0].Shape, o.Shape)
	}
	return t.Shape, nil
}

func (o Quantize) shape(in []Type) ([]int, error) {
	if o.To == Float32 {
		return nil, fmt.Errorf("quantize to float32")
	}
	return in[0].Shape, nil
}

func (o Dequantize) shape(in []Type) ([]int, error) { return in[0].Shape, nil }

// inputs is how many an operator takes.
func inputs(op Op) (least, most int) {
	switch op.(type) {
	case Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv2D:
		return 2, 3
	case Arithmetic, Pair, PReLU, BatchMatMul:
		return 2, 2
	case BatchNorm:
		return 5, 5
	case Concat:
		return 0, math.MaxInt // it refuses none itself
	}
	return 1, 1
}

// infer gives the element type and the shape of an operator's result; quantization is left nil.
func infer(op Op, in []Type) (Type, error) {
	if least, most := inputs(op); len(in) < least || len(in) > most {
		return Type{}, fmt.Errorf("%d inputs: want %d to %d", len(in), least, most)
	}
	shape, err := op.shape(in)
	if err != nil {
		return Type{}, err
	}
	t := Type{DType: in[0].DType, Shape: shape}
	switch op := op.(type) {
	case Quantize:
		t.DType = op.To
	case Dequantize:
		t.DType = Float32
	}
	return t, nil
}

func checkBias(bias []Type, channels int) error {
	for _, b := range bias {
		if !slices.Equal(b.Shape, []int{channels}) {
			return fmt.Errorf("bias %v for %d channels", b.Shape, channels)
		}
	}
	return nil
}
