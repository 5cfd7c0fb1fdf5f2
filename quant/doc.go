// Package quant is the integer arithmetic of an int8 TFLite model: what a quantized number stands for and how an
// accumulator becomes one.
//
//	Params      an affine quantization, real = scale * (q - zero), per tensor or per channel
//	Multiplier  a positive real number as a 32-bit mantissa and a power of two
//	Rounding    how a product is rounded; four ways are in use among the runtimes
//	Requant     accumulator -> output, for one channel, in one Rounding
//	Range       the interval a quantized activation is clamped to
//
// Every function here is exact: the same bits on every machine. Where float32 arithmetic is part of the definition,
// each operation is rounded on its own by an explicit conversion, because Go may otherwise fuse a multiplication and
// an addition on some processors and not on others.
//
// The package works on numbers, one at a time; shapes and loops are graph/interp's.
package quant
