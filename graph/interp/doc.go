// Package interp runs a graph, float32, int8 or int16, and says in plain Go exactly what every operator means.
//
//	m, err := interp.New(g, interp.Options{})
//	out, err := m.Run(image) // []int8 in, []any{[]int8} out
//
// It is the specification of the operators' arithmetic, the oracle that faster engines are tested against, the source
// of the calibrator's observations (Options.Tap), and the runtime where there is no other. Kernels for some processors have the
// bits of the plain ones: a result is the same everywhere.
//
//	machine.go      Machine: buffers, Run, taps
//	compile.go      from a node to a function over buffers
//	buffers.go      which values take turns at which buffer
//	float.go        float32 } the operators with weights, Mean, BatchNorm and Activate: the equation of each, in the
//	integer.go      int8    } plainest loops
//	int16.go        int16   } with int8 weights
//	hybrid.go       float32 } with int8 weights, activations made integers on the way
//	product.go      BatchMatMul, TransposeConv2D, L2Norm
//	elementwise.go  Arithmetic, Unary, Softmax, LeakyReLU, PReLU and the other Pairs
//	functions.go    the functions of Unary and Pair, to the same bits on every processor
//	spatial.go      Pool, Concat, Resize
//	rearrange.go    what moves elements and computes nothing: Transpose, Slice, Tile and others
//	reduce.go       Reduce
//	layout.go       Pad, Quantize, Dequantize, and the index arithmetic of Mean and Reduce
//	rounding.go     what differs between runtimes beside the requantization itself
//	fixed.go        the fixed-point exponential and reciprocal of TFLite's reference kernels
//	packed.go       faster kernels of the convolutions, bit for bit those of float.go and integer.go
//	wide*.go        faster ones still, for processors with AVX2 or AVX-512
//	extremes.go     the smallest and the largest value, for taps
//
// The integer arithmetic is that of one runtime, chosen by Options.Rounding:
//
//	Double    TFLite's reference kernels; TFLite Micro but for fully connected layers, which it rounds as convolutions
//	DoubleUp  convolutions and fully connected layers of TFLite's optimized kernels on amd64; not its other operators
//	Single    a TFLite built with TFLITE_SINGLE_ROUNDING, but for the same exception
//	Float32   XNNPACK on amd64, and TFLite's optimized kernels for the int8 operators that XNNPACK leaves to them: Pool's
//	          average, Activate, HardSwish, Softmax, Resize's nearest, and those whose scales are too far apart
//
// Double and Float32 are held to vectors that the official runtime computed, every tensor of a network and every
// operator; so are int16 operators, which XNNPACK leaves to TFLite (but for the sums, whose optimized kernel rounds in yet
// another way), and Double of float32 operators with int8 weights.
// Not followed is what TFLite's optimized Quantize from int8 to uint8, or back, of another scale makes of ties: upward in whole blocks
// of 16 elements, away from zero in the rest; here they go away from zero.
// Results of other float32 operators are this package's own: other runtimes add in other orders.
//
// Shapes are (N, H, W, C) for activations; O or oc counts a convolution's output channels.
package interp
