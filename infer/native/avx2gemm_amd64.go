package native

//go:noescape
func avx2Gemm6x2(a *gemmArgs)

//go:noescape
func avx2Gemm4x2(a *gemmArgs)

//go:noescape
func avx2Gemm8x1(a *gemmArgs)

//go:noescape
func avx2Gemm4x1(a *gemmArgs)

//go:noescape
func avx2Gemm1x4(a *gemmArgs)

//go:noescape
func avx2Gemm1x2(a *gemmArgs)

//go:noescape
func avx2Gemm1x1(a *gemmArgs)

//go:noescape
func avxvnniGemm6x2(a *gemmArgs)

//go:noescape
func avxvnniGemm4x2(a *gemmArgs)

//go:noescape
func avxvnniGemm8x1(a *gemmArgs)

//go:noescape
func avxvnniGemm4x1(a *gemmArgs)

//go:noescape
func avxvnniGemm1x4(a *gemmArgs)

//go:noescape
func avxvnniGemm1x2(a *gemmArgs)

//go:noescape
func avxvnniGemm1x1(a *gemmArgs)

// avx2Kernels and avxvnniKernels are by rows and vectors of eight output channels. Their panels are like those of gemmRxV, but
// half as wide, and avx2's have two inputs side by side: it multiplies int16.
var (
	avx2Kernels = map[[2]int]func(*gemmArgs){
		{8, 1}: avx2Gemm8x1, {6, 2}: avx2Gemm6x2,
		{4, 1}: avx2Gemm4x1, {4, 2}: avx2Gemm4x2,
		{1, 1}: avx2Gemm1x1, {1, 2}: avx2Gemm1x2, {1, 4}: avx2Gemm1x4,
	}
	avxvnniKernels = map[[2]int]func(*gemmArgs){
		{8, 1}: avxvnniGemm8x1, {6, 2}: avxvnniGemm6x2,
		{4, 1}: avxvnniGemm4x1, {4, 2}: avxvnniGemm4x2,
		{1, 1}: avxvnniGemm1x1, {1, 2}: avxvnniGemm1x2, {1, 4}: avxvnniGemm1x4,
	}
)

func avx2Kernel(m, left int) gemmKernel {
	s := avx2Shape(m, left)
	return gemmKernel{run: avx2Kernels[s], rows: s[0], channels: 8 * s[1], lanes: 8, step: 2, together: 2}
}

func avxvnniKernel(m, left int) gemmKernel {
	s := avx2Shape(m, left)
	return gemmKernel{run: avxvnniKernels[s], rows: s[0], channels: 8 * s[1], lanes: 8, step: 4, together: 4}
}

// avx2Shape is how many rows and vectors are best for m pixels of which n output channels are left.
func avx2Shape(m, n int) [2]int {
	switch {
	case m < 4 && n > 16:
		return [2]int{1, 4}
	case m < 4 && n > 8:
		return [2]int{1, 2}
	case m < 4:
		return [2]int{1, 1}
	case n > 8 && (m == 6 || m >= 64):
		return [2]int{6, 2}
	case n > 8:
		return [2]int{4, 2}
	case m < 8:
		return [2]int{4, 1}
	}
	return [2]int{8, 1}
}
