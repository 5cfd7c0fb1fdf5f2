// Package native runs int8 models in Go and Go assembly, with no library to install: an infer.Runtime named "native".
//
//	native.go     New: the runtime, its options
//	session.go    a model ready to run
//	family.go     which kernels this processor can run, and which it is told to
//	families_*.go the families of an architecture
//	plan.go       from a graph to steps: what is fused, what each value's buffer is
//	arena.go      one piece of memory for all buffers, shared by those that do not live at the same time
//	cut.go        which thread has which part of a step, and when it has to wait for the others
//	team.go       the threads
//	processor_*.go where a thread runs
//	rounding.go   the arithmetic after the sum: XNNPACK's and TFLite's reference kernels'
//	window.go     what the kernels want of a convolution's geometry: where each tap of the window finds its input
//	conv.go       convolutions and fully connected layers, whatever computes them
//	portable.go   their kernels in plain Go
//	elements.go   Mean, Pad, Reshape, Quantize, Dequantize, Activate, sums
//	pooling.go    Pool
//	borrowed.go   the other int8 operators, by graph/interp
//	profile.go    what each step takes
//
// What the assembler families share is which calls of kernels make up an operator and how weights are packed for them; what
// they do not is the shape of their kernels and what these are told.
//
//	kernels.go         what a family has
//	calls.go           calls, shared by threads; what panels of weights begin with
//	matrix.go          convolutions as matrix products
//	image.go           the zero points around an image that windows see
//	depthwise.go       depthwise convolutions
//	elementkernels.go  means, sums, products, functions of a byte
//	poolkernels.go     pools
//	*_amd64.go         the family avx512vnni; its kernels, vnni_amd64.s, are written by internal/gen: go generate
//	avx2*_amd64.go     the families avx2 and avxvnni; their kernels, avx2_amd64.s, too
//	*_arm64.go         the families dotprod and neon; their kernels, *_arm64.s, are written by internal/genarm
//
// A result has the same bits as graph/interp's, whatever the family. Only the arithmetic differs, by Options.Rounding.
//
// An int8 activation is stored as bytes q + 128, so that it can be the unsigned factor of VPDPBUSD, and with room for a
// multiple of 32 channels a pixel, or of 16 or 4 where those are few (compiler.stride), so that no kernel needs a tail. What
// the surplus channels hold is nobody's business: they are read, but what comes of them only reaches other surplus
// channels, or is multiplied by zero. Weights are int8 and zero points of weights 0, as in every int8 .tflite model.
//
// The sum over (q - zero) * w is taken as that over (q + 128) * w, corrected in the bias by (zero + 128) * sum of w.
// All sums are exact: the planner refuses weights and biases that could overflow an int32 with any input.
//
// docs/native.md describes the kernels and how near they come to what the processor can do.
package native

//go:generate go run ./internal/gen
//go:generate go run ./internal/genarm
