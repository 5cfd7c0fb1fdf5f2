package graph

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"mnet-edge/quant"
)

// BinaryFunc is what an Arithmetic computes of two numbers.
type BinaryFunc uint8

const (
	Add BinaryFunc = iota // a + b
	Sub                   // a - b
	Mul                   // a * b
	Div                   // a / b; float32 alone
)

// UnaryFunc is what a Unary computes of a number.
type UnaryFunc uint8

const (
	HardSwish UnaryFunc = iota // x * min(max(x+3, 0), 6) / 6
	Logistic                   // 1 / (1 + exp(-x))
	Tanh                       // from here on, float32 alone
	Exp
	Abs
	Neg
	Sqrt
	Rsqrt // 1 / sqrt(x)
	Square
	Elu // x, or exp(x) - 1 where that is negative
	Floor
	Ceil
	Round    // to the nearest, half to even
	Gelu     // x times the share of a normal distribution below x
	GeluTanh // Gelu's approximation by a Tanh
	Clip1    // -1 to 1
	Clip01   // 0 to 1
	Log      // natural
	Sin
	Cos
)

// PairFunc is what a Pair computes of two numbers.
type PairFunc uint8

const (
	Maximum PairFunc = iota
	Minimum
	SquaredDifference // (a - b)^2
	Pow               // a^b
)

var pairNames = [...]string{Maximum: "maximum", Minimum: "minimum", SquaredDifference: "squared_difference", Pow: "pow"}

var unaryNames = [...]string{
	HardSwish: "hard_swish", Logistic: "logistic", Tanh: "tanh", Exp: "exp", Abs: "abs", Neg: "neg",
	Sqrt: "sqrt", Rsqrt: "rsqrt", Square: "square", Elu: "elu", Floor: "floor", Ceil: "ceil", Round: "round",
	Gelu: "gelu", GeluTanh: "gelu_tanh", Clip1: "relu_n1_to_1", Clip01: "relu_0_to_1",
	Log: "log", Sin: "sin", Cos: "cos",
}

// The operators that compute each element of the result from one element of each input. Softmax and L2Norm are among them
// though a row's elements meet in a sum.
type (
	// Arithmetic is Fn of the two inputs' elements. A dimension of 1, or one that is missing in front, is repeated to
	// fit the other input's. Either input may be a constant.
	Arithmetic struct {
		Fn  BinaryFunc
		Act Activation
	}
	// Unary is Fn of each element.
	Unary struct{ Fn UnaryFunc }
	// LeakyReLU is x, or Alpha * x where x is negative; float32 alone.
	LeakyReLU struct{ Alpha float32 }
	// PReLU is LeakyReLU with a second input for Alpha, repeated to fit x; float32 alone.
	PReLU struct{}
	// Pair is Fn of two inputs' elements, repeated to fit as those of Arithmetic, without an activation; float32 alone.
	Pair struct{ Fn PairFunc }
	// Softmax is exp(Beta*x) along the last axis, divided by its sum there.
	Softmax struct{ Beta float32 }
	// L2Norm divides by the length of the vector along the last axis, but by no less than 1e-6; float32 alone.
	L2Norm struct{}
)

func (o Arithmetic) Name() string {
	return [...]string{Add: "add", Sub: "sub", Mul: "mul", Div: "div"}[o.Fn]
}
func (o Unary) Name() string   { return unaryNames[o.Fn] }
func (LeakyReLU) Name() string { return "leaky_relu" }
func (PReLU) Name() string     { return "prelu" }
func (o Pair) Name() string    { return pairNames[o.Fn] }
func (Softmax) Name() string   { return "softmax" }
func (L2Norm) Name() string    { return "l2_normalization" }

func (o Arithmetic) attrs() string { return o.Act.attrs() }
func (Unary) attrs() string        { return "" }
func (PReLU) attrs() string        { return "" }
func (Pair) attrs() string         { return "" }
func (L2Norm) attrs() string       { return "" }
func (o LeakyReLU) attrs() string  { return fmt.Sprintf(" alpha=%v", o.Alpha) }

func (o Softmax) attrs() string {
	if o.Beta == 1 {
		return ""
	}
	return fmt.Sprintf(" beta=%v", o.Beta)
}

func (o Arithmetic) shape(in []Type) ([]int, error) {
	a, b := in[0], in[1]
	if a.DType != b.DType {
		return nil, fmt.Errorf("inputs of %v and %v", a.DType, b.DType)
	}
	return broadcast(a.Shape, b.Shape)
}

// broadcast is the shape of which both a and b are repeated parts.
func broadcast(a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	shape := slices.Clone(a)
	for i, d := range b {
		switch at := len(a) - len(b) + i; {
		case shape[at] == 1:
			shape[at] = d
		case d != 1 && d != shape[at]:
			return nil, fmt.Errorf("shapes %v and %v do not go together", a, b)
		}
	}
	return shape, nil
}

func (o Unary) shape(in []Type) ([]int, error)     { return in[0].Shape, nil }
func (o LeakyReLU) shape(in []Type) ([]int, error) { return in[0].Shape, nil }
func (o Pair) shape(in []Type) ([]int, error)      { return Arithmetic{}.shape(in) }

func (o PReLU) shape(in []Type) ([]int, error) {
	shape, err := Arithmetic{}.shape(in)
	if err == nil && !slices.Equal(shape, in[0].Shape) {
		err = fmt.Errorf("factors %v for %v", in[1].Shape, in[0].Shape)
	}
	return shape, err
}

func (o Softmax) shape(in []Type) ([]int, error) {
	switch {
	case len(in[0].Shape) == 0:
		return nil, fmt.Errorf("scalar input")
	case !(o.Beta > 0 && float64(o.Beta) < math.Inf(1)):
		return nil, fmt.Errorf("beta %v", o.Beta)
	}
	return in[0].Shape, nil
}

func (o L2Norm) shape(in []Type) ([]int, error) {
	if n := len(in[0].Shape); n < 1 || n > 4 {
		return nil, fmt.Errorf("input %v: want 1 to 4 dimensions", in[0].Shape) // more no runtime takes
	}
	return in[0].Shape, nil
}

// ErrNoIntegerForm is wrapped by IntegerForm's error.
var ErrNoIntegerForm = errors.New("no form for integers")

// IntegerForm reports an operator that no integer kernel computes for results of type d, nil if one does: such a node
// stays float32, between Dequantize and Quantize.
func IntegerForm(op Op, d DType) error {
	none := false
	switch op := op.(type) {
	case LeakyReLU, PReLU, Pair, BatchNorm, L2Norm, BatchMatMul, TransposeConv2D:
		none = true
	case SpaceToDepth, DepthToSpace, Tile:
		none = d != Int8
	case Reduce:
		none = op.Fn == Sum
	case Arithmetic:
		none = op.Fn == Div
	case Unary:
		none = op.Fn > Logistic || op.Fn == HardSwish && d == Int16
	}
	if none {
		return fmt.Errorf("%s has %w of type %v", op.Name(), ErrNoIntegerForm, d)
	}
	return nil
}

// FixedQuant is the quantization that the operator's result must have as integers of type d, nil if it is free:
// probabilities take the steps of 1/256, or of 1/32768 in an int16, from 0. Source: TFLite's quantization specification.
func FixedQuant(op Op, d DType) *quant.Params {
	unary, _ := op.(Unary)
	if _, softmax := op.(Softmax); !softmax && unary.Fn != Logistic {
		return nil
	}
	if d == Int16 {
		return quant.PerTensor(1./32768, 0)
	}
	return quant.PerTensor(1./256, quant.Int8Min)
}
