package native

import "unsafe"

// gemmArgs are the arguments of the kernels gemmRxV: R rows (output pixels) by 16*V output channels at a time.
type gemmArgs struct {
	x      unsafe.Pointer // the arena
	table  *int32         // [blocks][taps][R] offsets in it
	panel  *byte          // [16*V] bias int32, [16*V] scale float32, [taps][k/4][16*V][4] weights
	out    *byte          // of the first row, the panel's first channel
	stride int            // bytes from row to row
	blocks int
	taps   int
	k      int // bytes of input a tap sees, a multiple of 4
	clamp
}

//go:noescape
func gemm8x2(a *gemmArgs)

//go:noescape
func gemm8x1(a *gemmArgs)

//go:noescape
func gemm4x4(a *gemmArgs)

//go:noescape
func gemm4x2(a *gemmArgs)

//go:noescape
func gemm4x1(a *gemmArgs)

//go:noescape
func gemm1x4(a *gemmArgs)

//go:noescape
func gemm1x2(a *gemmArgs)

//go:noescape
func gemm1x1(a *gemmArgs)

//go:noescape
func gemm8x2twice(a *gemmArgs)

//go:noescape
func gemm8x1twice(a *gemmArgs)

//go:noescape
func gemm4x4twice(a *gemmArgs)

//go:noescape
func gemm4x2twice(a *gemmArgs)

//go:noescape
func gemm4x1twice(a *gemmArgs)

//go:noescape
func gemm1x4twice(a *gemmArgs)

//go:noescape
func gemm1x2twice(a *gemmArgs)

//go:noescape
func gemm1x1twice(a *gemmArgs)

// chunk is how many bytes of a pixel the kernels read at a time.
const chunk = 4

// gemmKernels are by rows and vectors of 16 output channels.
var gemmKernels = map[[2]int]func(*gemmArgs){
	{8, 1}: gemm8x1, {8, 2}: gemm8x2,
	{4, 1}: gemm4x1, {4, 2}: gemm4x2, {4, 4}: gemm4x4,
	{1, 1}: gemm1x1, {1, 2}: gemm1x2, {1, 4}: gemm1x4,
}

// gemmTwice are those that round twice.
var gemmTwice = map[[2]int]func(*gemmArgs){
	{8, 1}: gemm8x1twice, {8, 2}: gemm8x2twice,
	{4, 1}: gemm4x1twice, {4, 2}: gemm4x2twice, {4, 4}: gemm4x4twice,
	{1, 1}: gemm1x1twice, {1, 2}: gemm1x2twice, {1, 4}: gemm1x4twice,
}

// gemmKernel is the kernel for m pixels of which some output channels are left.
func (f *conv) gemmKernel(m, left int) gemmKernel {
	rows, widest, vectors := 8, 2, 1
	switch {
	case m < 4:
		rows, widest = 1, 4
	case m < 8:
		rows, widest = 4, 4
	}
	for vectors < widest && 16*vectors < left {
		vectors *= 2
	}
	shape := [2]int{rows, vectors}
	run := twice(f, gemmKernels, gemmTwice)[shape]
	return gemmKernel{run: run, rows: rows, channels: 16 * vectors, lanes: 16, step: 4, together: 4}
}

// setTap tells the kernel how many bytes of a tap it sees.
func (a *gemmArgs) setTap(bytes, _ int) { a.k = bytes }

// kernelZero is x's zero point as the kernels see it: they take bytes q + 128 as they are.
func (f *conv) kernelZero() int32 { return int32(f.inputZero) }
