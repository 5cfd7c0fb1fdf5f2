package interp

import "github.com/klauspost/cpuid/v2"

// hasWide is AVX2, hasWider AVX-512, for which all loops of this file but the narrow ones and centre are, hasVNNI with its sums of
// products of 16 bits.
var (
	hasWide  = cpuid.CPU.Supports(cpuid.AVX, cpuid.AVX2)
	hasWider = hasWide && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW)
	hasVNNI  = hasWider && cpuid.CPU.Supports(cpuid.AVX512VNNI)
)

func floatDots() []dotLoop[float32, float32] {
	if hasWider {
		return []dotLoop[float32, float32]{{8, dotFloat8}, {4, dotFloat4}, {1, dotFloat1}}
	}
	return []dotLoop[float32, float32]{{2, dotFloat2Narrow}, {1, dotFloat1Narrow}}
}

func intDots() []dotLoop[int16, int32] {
	if hasVNNI {
		return []dotLoop[int16, int32]{{8, dotInt8VNNI}, {4, dotInt4VNNI}, {1, dotInt1VNNI}}
	}
	if hasWider {
		return []dotLoop[int16, int32]{{8, dotInt8}, {4, dotInt4}, {1, dotInt1}}
	}
	return []dotLoop[int16, int32]{{2, dotInt2Narrow}, {1, dotInt1Narrow}}
}

// Each dotFloat adds, k by k, x[p*step/4+k] * w[k][o] to sum[p][o] for its pixels p, 32 channels o and k < n; each product
// and each sum is rounded. n > 0.

//go:noescape
func dotFloat8(sum, x *float32, step, n int, w *float32)

//go:noescape
func dotFloat4(sum, x *float32, step, n int, w *float32)

//go:noescape
func dotFloat1(sum, x *float32, step, n int, w *float32)

//go:noescape
func dotFloat2Narrow(sum, x *float32, step, n int, w *float32)

//go:noescape
func dotFloat1Narrow(sum, x *float32, step, n int, w *float32)

// Each dotInt adds x[p*step/2+2k] * w[k][o][0] + x[p*step/2+2k+1] * w[k][o][1] to sum[p][o] for k < n. n > 0.

//go:noescape
func dotInt8(sum *int32, x *int16, step, n int, w *int16)

//go:noescape
func dotInt4(sum *int32, x *int16, step, n int, w *int16)

//go:noescape
func dotInt1(sum *int32, x *int16, step, n int, w *int16)

//go:noescape
func dotInt8VNNI(sum *int32, x *int16, step, n int, w *int16)

//go:noescape
func dotInt4VNNI(sum *int32, x *int16, step, n int, w *int16)

//go:noescape
func dotInt1VNNI(sum *int32, x *int16, step, n int, w *int16)

//go:noescape
func dotInt2Narrow(sum *int32, x *int16, step, n int, w *int16)

//go:noescape
func dotInt1Narrow(sum *int32, x *int16, step, n int, w *int16)

// depthFloat computes the channels c < r.channels, a multiple of 16, of r.pixels neighbouring pixels of a depthwise result, each
//
//	min(max(bias[c] + sum over rows i and taps j of x[i][j][c] * w[i][j][c], lo), hi)
//
// with its terms in that order and the bias last. All counts are > 0.
//
//go:noescape
func depthFloat(out, x, w, bias *float32, r *depthRow)

// tapsInt: sum[c] += (x[t*channels+c] - zero) * w[t*channels+c] for c < n and t < taps, t by t. n is a multiple of 16; n,
// taps > 0.
//
//go:noescape
func tapsInt(sum *int32, x *int8, w *int32, taps, channels, n int, zero int32)

// finishFloat: out[p*step/4+i] = min(max(sum[p][i]+bias[i], lo), hi) for its pixels p, of which there are some, and 32 channels i.
//
//go:noescape
func finishFloat(out, sum, bias *float32, step, pixels int, lo, hi float32)

// finishInt: out[i] = round half to even(min(max(sum[i]*ratio[i], lo), hi)) + zero for i < n, a multiple of 16 and > 0.
//
//go:noescape
func finishInt(out *int8, sum *int32, ratio *float32, n int, lo, hi float32, zero int32)

// centre: out[i] = x[i] - zero for i < n, a multiple of 16 and > 0. AVX2.
//
//go:noescape
func centre(out *int16, x *int8, n int, zero int16)

// extremesWide: ends[0][i] is the least order(x[16k+i]) for 16k < n, ends[1][i] the largest; n is a multiple of 16 and > 0.
//
//go:noescape
func extremesWide(ends *[2][16]int32, x *float32, n int)
