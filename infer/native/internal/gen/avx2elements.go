package main

import "fmt"

// Fields of widenArgs.
const (
	widenX       = 0
	widenOut     = 8
	widenInStep  = 16
	widenOutStep = 24
	widenPixels  = 32
	widenBlocks  = 40
)

// widen writes what turns bytes into int16, width of them at a time.
func widen(e *emitter, width int) {
	name := fmt.Sprintf("widen%d", width)
	e.text(name, fmt.Sprintf("%s: %d bytes a time.", name, width), 0)
	e.op("MOVQ", at(widenX, "DI"), "SI")
	e.op("MOVQ", at(widenOut, "DI"), "DX")
	e.op("MOVQ", at(widenPixels, "DI"), "CX")
	pixel, block := e.label("pixel"), e.label("block")
	e.mark(pixel)
	e.op("MOVQ", "SI", "R8")
	e.op("MOVQ", "DX", "R9")
	e.op("MOVQ", at(widenBlocks, "DI"), "BX")
	e.mark(block)
	to := y(0).String()
	if width == 8 {
		to = y(0).x()
	}
	e.op("VPMOVZXBW", "(R8)", to)
	e.op("VMOVDQU", to, "(R9)")
	e.op("ADDQ", imm(width), "R8")
	e.op("ADDQ", imm(2*width), "R9")
	e.op("DECQ", "BX")
	e.op("JNZ", block)
	e.op("ADDQ", at(widenInStep, "DI"), "SI")
	e.op("ADDQ", at(widenOutStep, "DI"), "DX")
	e.op("DECQ", "CX")
	e.op("JNZ", pixel)
	e.ret()
}

// avx2Mean writes the mean over pixels of meanArgs, 8 channels at a time.
func avx2Mean(e *emitter) {
	e.text("avx2Mean", "avx2Mean: 8 channels a time.", 0)
	e.op("VPBROADCASTD", at(meanFactor, "DI"), y(2))
	e.op("VPBROADCASTD", at(meanBias, "DI"), y(3))
	e.op("VPBROADCASTD", at(meanFirst, "DI"), y(4))
	e.op("VPBROADCASTD", at(meanOffset, "DI"), y(5))
	e.op("MOVQ", at(meanX, "DI"), "SI")
	e.op("MOVQ", at(meanOut, "DI"), "DX")
	e.op("MOVQ", at(meanBlocks, "DI"), "CX")
	block, pixel := e.label("block"), e.label("pixel")
	e.mark(block)
	e.op("VMOVDQA", y(4), y(0))
	e.op("MOVQ", at(meanPixels, "DI"), "BX")
	e.op("MOVQ", "SI", "AX")
	e.mark(pixel)
	e.op("VPMOVZXBD", "(AX)", y(1))
	e.op("VPADDD", y(1), y(0), y(0))
	e.op("ADDQ", at(meanStep, "DI"), "AX")
	e.op("DECQ", "BX")
	e.op("JNZ", pixel)
	e.op("VCVTDQ2PS", y(0), y(0))
	e.op("VMULPS", y(2), y(0), y(0))
	e.op("VADDPS", y(3), y(0), y(0))
	e.op("VCVTPS2DQ", y(0), y(0))
	e.op("VPADDD", y(5), y(0), y(0))
	e.storeDwords(y(0), y(1), "(DX)")
	e.op("ADDQ", imm(8), "SI")
	e.op("ADDQ", imm(8), "DX")
	e.op("DECQ", "CX")
	e.op("JNZ", block)
	e.ret()
}

// storeDwords writes eight integers as bytes, saturating at 0 and 255.
func (e *emitter) storeDwords(r, scratch y, to string) {
	e.op("VEXTRACTI128", imm(1), r, scratch.x())
	e.op("VPACKSSDW", scratch.x(), r.x(), r.x())
	e.op("VPACKUSWB", r.x(), r.x(), r.x())
	e.op("VMOVQ", r.x(), to)
}

// broadcast fills r with the dword in a general register.
func (e *emitter) broadcast(from string, r y) {
	e.op("VMOVD", from, r.x())
	e.op("VPBROADCASTD", r.x(), r)
}

// avx2AveragePool is averagePool in two sums of eight channels.
func avx2AveragePool(e *emitter) {
	e.text("avx2AveragePool", "avx2AveragePool: 16 channels a time.", 0)
	const half, count, low, high, offset, scratch, q = y(3), y(4), y(5), y(6), y(7), y(8), y(9)
	e.op("MOVL", imm(128), "AX")
	e.broadcast("AX", offset)
	e.op("MOVBLZX", at(argLow, "DI"), "AX")
	e.broadcast("AX", low)
	e.op("MOVBLZX", at(argHigh, "DI"), "AX")
	e.broadcast("AX", high)
	pool(e, func() {
		e.op("VPXOR", y(0), y(0), y(0))
		e.op("VPXOR", y(1), y(1), y(1))
		e.broadcast("BX", count)
	}, func() {
		for i := range 2 {
			e.op("VPMOVZXBD", fmt.Sprintf("%d(AX)(SI*1)", 8*i), y(2))
			e.op("VPADDD", y(2), y(i), y(i))
		}
	}, func() {
		e.op("VPSRLD", imm(1), count, half)
		e.op("VPSLLD", imm(7), count, scratch) // 128 each
		e.op("VCVTDQ2PS", count, count)
		for i := range 2 {
			sum := y(i)
			e.op("VPSUBD", scratch, sum, sum)
			e.op("VPABSD", sum, q)
			e.op("VPADDD", half, q, q)
			e.op("VCVTDQ2PS", q, q)
			e.op("VDIVPS", count, q, q)
			e.op("VCVTTPS2DQ", q, q)
			e.op("VPSIGND", sum, q, q)
			e.op("VPADDD", offset, q, q)
			e.op("VPMAXSD", low, q, q)
			e.op("VPMINSD", high, q, q)
			e.storeDwords(q, y(2), at(8*i, "R9"))
		}
	})
}

func avx2MaxPool(e *emitter) {
	e.text("avx2MaxPool", "avx2MaxPool: 16 channels a time.", 0)
	largest, low, high := y(0).x(), y(1).x(), y(2).x()
	e.op("VPBROADCASTB", at(argLow, "DI"), low)
	e.op("VPBROADCASTB", at(argHigh, "DI"), high)
	pool(e, func() {
		e.op("VPXOR", largest, largest, largest)
	}, func() {
		e.op("VPMAXUB", "(AX)(SI*1)", largest, largest)
	}, func() {
		e.op("VPMAXUB", low, largest, largest)
		e.op("VPMINUB", high, largest, largest)
		e.op("VMOVDQU", largest, "(R9)")
	})
}

// avx2Add is add, 32 elements twice.
func avx2Add(e *emitter) {
	e.text("avx2Add", "avx2Add: 64 elements a time.", clampSize)
	const high, low, bias, shift, zero = y(6), y(7), y(8), y(9), y(10)
	clamps := e.frameClamps(0)
	e.op("VPBROADCASTD", at(addHigh, "DI"), high)
	e.op("VPBROADCASTD", at(addLow, "DI"), low)
	e.op("VPBROADCASTD", at(addBias, "DI"), bias)
	e.op("VPBROADCASTD", at(addShift, "DI"), shift)
	e.op("VPXOR", zero, zero, zero)
	e.each(func() {
		for from := 0; from < 64; from += 32 {
			e.op("VMOVDQU", at(from, "AX"), y(0))
			e.op("VMOVDQU", at(from, "BX"), y(1))
			e.op("VPUNPCKLBW", y(1), y(0), y(4)) // bytes a, b
			e.op("VPUNPCKHBW", y(1), y(0), y(5))
			e.op("VPUNPCKLBW", zero, y(4), y(0)) // words a, b
			e.op("VPUNPCKHBW", zero, y(4), y(1))
			e.op("VPUNPCKLBW", zero, y(5), y(2))
			e.op("VPUNPCKHBW", zero, y(5), y(3))
			for i := range 4 {
				e.op("VPMADDWD", high, y(i), y(4))
				e.op("VPMADDWD", low, y(i), y(5))
				e.op("VPSLLD", imm(15), y(4), y(4))
				e.op("VPADDD", bias, y(5), y(5))
				e.op("VPADDD", y(4), y(5), y(5))
				e.op("VPSRAVD", shift, y(5), y(i))
			}
			e.store32(y(0), y(1), y(2), y(3), at(from, "DX"), clamps)
		}
	})
}

// store32 packs four vectors of integers and writes them.
func (e *emitter) store32(a, b, c, d y, to string, clamps clamps) {
	e.packWords(a, b, clamps)
	e.packWords(c, d, clamps)
	e.packBytes(a, c, clamps)
	e.op("VMOVDQU", a, to)
}

// avx2Mul is mul, 32 elements twice.
func avx2Mul(e *emitter) {
	e.text("avx2Mul", "avx2Mul: 64 elements a time.", clampSize)
	const factor, zeroA, zeroB, zero = y(10), y(11), y(12), y(13)
	clamps := e.frameClamps(0)
	e.op("VPBROADCASTD", at(mulFactor, "DI"), factor)
	e.op("VPBROADCASTW", at(mulZeros, "DI"), zeroA)
	e.op("VPBROADCASTW", at(mulZeros+2, "DI"), zeroB)
	e.op("VPXOR", zero, zero, zero)
	e.each(func() {
		for from := 0; from < 64; from += 32 {
			e.op("VMOVDQU", at(from, "AX"), y(0))
			e.op("VMOVDQU", at(from, "BX"), y(1))
			for i, unpack := range []string{"VPUNPCKLBW", "VPUNPCKHBW"} {
				a, b, low, high := y(2), y(3), y(4), y(5)
				e.op(unpack, zero, y(0), a)
				e.op(unpack, zero, y(1), b)
				e.op("VPSUBW", zeroA, a, a)
				e.op("VPSUBW", zeroB, b, b)
				e.op("VPMULLW", b, a, low)
				e.op("VPMULHW", b, a, high)
				e.op("VPUNPCKLWD", high, low, y(6+2*i))
				e.op("VPUNPCKHWD", high, low, y(7+2*i))
			}
			for i := range 4 {
				e.requantize(y(6+i), factor)
			}
			e.store32(y(6), y(7), y(8), y(9), at(from, "DX"), clamps)
		}
	})
}
