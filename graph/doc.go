// Package graph is the intermediate representation of a network on its way from a checkpoint to a .tflite file.
//
// A Graph is a list of Nodes in execution order. A Node applies an Op to Values and defines one Value. A Value is a
// graph input, a constant (it has Data) or what a node computes; its Type is element type, shape and quantization, so
// scale and zero point can't drift from the tensor they belong to. Identity is the pointer; names are for people and
// for the file, and may repeat.
//
// The operators are a closed set. Activations are (N, H, W, C); x is the activation, and an optional input is last.
//
//	Op               inputs                        remarks
//	Conv2D           x, weight, [bias]             weight (O, KH, KW, I)
//	DepthwiseConv2D  x, weight, [bias]             weight (1, KH, KW, C*Multiplier)
//	FullyConnected   x (N, I), weight, [bias]      weight (O, I)
//	BatchNorm        x, gamma, beta, mean, variance  (C) each; has no form in a file
//	Activate         x                             ReLU or ReLU6 on its own
//	Arithmetic       a, b                          Add, Sub, Mul, Div; one may be repeated to fit the other
//	Unary            x                             HardSwish, Logistic; Tanh, Exp, Abs, Neg, Sqrt, Rsqrt, Square, Elu,
//	                                               Floor, Ceil, Round, Gelu, GeluTanh, Clip1, Clip01, Log, Sin, Cos
//	LeakyReLU        x
//	PReLU            x, alpha                      alpha repeated to fit x
//	Pair             a, b                          Maximum, Minimum, SquaredDifference, Pow; one may be repeated to fit the other
//	Softmax          x                             along the last axis; so is L2Norm
//	BatchMatMul      x (..., N, I), y (..., I, O)  or their transposes
//	TransposeConv2D  x, weight, [bias]             weight (O, KH, KW, I)
//	Mean             x                             over Axes
//	Reduce           x                             Sum, Largest, Smallest, over Axes
//	Pool             x                             Average, Max
//	Pad              x                             zeros around each dimension
//	Reshape          x
//	Transpose        x
//	Slice            x                             a part of each dimension, in steps, which may lead backward
//	SpaceToDepth     x                             and DepthToSpace
//	MirrorPad        x
//	Tile             x
//	Concat           x...                          along Axis
//	Resize           x                             Bilinear, Nearest
//	Quantize         x                             float32 -> integer, or integer -> integer
//	Dequantize       x                             integer -> float32, or a constant float16 -> float32
//
// Div, LeakyReLU, PReLU, Pair, L2Norm, Sum, BatchMatMul, TransposeConv2D and the Unary after Logistic are float32 alone: see
// IntegerForm.
//
// A Graph is at one Level; the passes of package convert lead from Float to Quantized. Check is the verifier: shapes
// re-infer, edges are mutual, definitions come first, the level's rules hold. Fprint is the one printer; its text is
// what tests compare. Running a graph is graph/interp's, its file form graph/tflite's.
package graph
