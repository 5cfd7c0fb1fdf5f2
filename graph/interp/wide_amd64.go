package interp

import "github.com/klauspost/cpuid/v2"

// hasWide reports whether dotFloatWide and dotIntWide can run here.
var hasWide = cpuid.CPU.Supports(cpuid.AVX, cpuid.AVX2)

// dotFloatWide: sum[8p+lane] += x[k] * w[p][k][lane] for k < n, k by k, each product and each sum rounded. w is the
// first panel's weights (n, 8); those of the next panel are stride bytes further.
//
//go:noescape
func dotFloatWide(sum *[block * lanes]float32, x *float32, n int, w *float32, stride int)

// dotIntWide: sum[8p+lane] += x[2k] * w[p][k][lane][0] + x[2k+1] * w[p][k][lane][1] for k < n. w is the first panel's
// weights (n, 8, 2); those of the next panel are stride bytes further.
//
//go:noescape
func dotIntWide(sum *[block * lanes]int32, x *int16, n int, w *int16, stride int)
