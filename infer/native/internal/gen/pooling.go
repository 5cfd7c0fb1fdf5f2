package main

// Fields of poolArgs.
const (
	poolX       = 0
	poolTable   = 8
	poolOut     = 16
	poolOutStep = 24
	poolPixels  = 32
	poolBlocks  = 40
)

// pool writes a pooling kernel, 16 channels at a time. Of each output pixel the table has how many pixels the window
// holds, then their offsets. The bytes of a mean add up to sums of 16 integers; begin and finish say from where on, and
// what becomes of them in Z0.
//
//	Z0          the sums, or the largest bytes
//	Z2..        what finish needs
//	AX          the input at the channels
//	BX          pixels left in the window
//	CX          the table of this output pixel; R8 reads on
//	DX, R9      the output, and at the channels
//	R10         blocks of channels left
//	R11         output pixels left
func pool(e *emitter, begin, gather, finish func()) {
	e.op("MOVQ", at(poolTable, "DI"), "CX")
	e.op("MOVQ", at(poolOut, "DI"), "DX")
	e.op("MOVQ", at(poolPixels, "DI"), "R11")
	pixel, block, tap := e.label("pixel"), e.label("block"), e.label("tap")
	e.mark(pixel)
	e.op("MOVQ", at(poolX, "DI"), "AX")
	e.op("MOVQ", at(poolBlocks, "DI"), "R10")
	e.op("MOVQ", "DX", "R9")
	e.mark(block)
	e.op("MOVLQSX", "(CX)", "BX")
	e.op("LEAQ", "4(CX)", "R8")
	begin()
	e.mark(tap)
	e.op("MOVLQSX", "(R8)", "SI")
	e.op("ADDQ", imm(4), "R8")
	gather()
	e.op("DECQ", "BX")
	e.op("JNZ", tap)
	finish()
	e.op("ADDQ", imm(16), "AX")
	e.op("ADDQ", imm(16), "R9")
	e.op("DECQ", "R10")
	e.op("JNZ", block)
	e.op("MOVQ", "R8", "CX")
	e.op("ADDQ", at(poolOutStep, "DI"), "DX")
	e.op("DECQ", "R11")
	e.op("JNZ", pixel)
	e.ret()
}

// averagePool rounds the mean half away from zero. The quotient of two integers of less than 24 bits, computed in float32
// and cut off, is the integers' own: where they do not divide, it is further from an integer than it can be wrong.
func averagePool(e *emitter) {
	e.text("averagePool16", "averagePool16: 16 channels a time.", 0)
	const sum, half, count, low, high, offset = z(0), z(2), z(3), z(4), z(5), z(6)
	e.op("MOVL", imm(128), "AX")
	e.op("VPBROADCASTD", "AX", offset)
	e.op("MOVBLZX", at(argLow, "DI"), "AX")
	e.op("VPBROADCASTD", "AX", low)
	e.op("MOVBLZX", at(argHigh, "DI"), "AX")
	e.op("VPBROADCASTD", "AX", high)
	pool(e, func() {
		e.op("VPXORD", sum, sum, sum)
		e.op("VPBROADCASTD", "BX", count)
	}, func() {
		e.op("VPMOVZXBD", "(AX)(SI*1)", z(1))
		e.op("VPADDD", z(1), sum, sum)
	}, func() {
		e.op("VPSLLD", imm(7), count, z(1)) // 128 each
		e.op("VPSUBD", z(1), sum, sum)
		e.op("VPSRLD", imm(1), count, half)
		e.op("VPMOVD2M", sum, "K1") // negative ones
		e.op("VPABSD", sum, sum)
		e.op("VPADDD", half, sum, sum)
		e.op("VCVTDQ2PS", sum, sum)
		e.op("VCVTDQ2PS", count, z(1))
		e.op("VDIVPS", z(1), sum, sum)
		e.op("VCVTTPS2DQ", sum, sum)
		e.op("VPSUBD", sum, offset, z(1))
		e.op("VPADDD", sum, offset, sum)
		e.op("VMOVDQA32", z(1), "K1", sum)
		e.op("VPMAXSD", low, sum, sum)
		e.op("VPMINSD", high, sum, sum)
		e.op("VPMOVDB", sum, "(R9)")
	})
}

func maxPool(e *emitter) {
	e.text("maxPool16", "maxPool16: 16 channels a time.", 0)
	e.loadClamp()
	pool(e, func() {
		e.op("VPXORD", z(0).x(), z(0).x(), z(0).x())
	}, func() {
		e.op("VPMAXUB", "(AX)(SI*1)", z(0).x(), z(0).x())
	}, func() {
		e.op("VPMAXUB", lowBytes.x(), z(0).x(), z(0).x())
		e.op("VPMINUB", highBytes.x(), z(0).x(), z(0).x())
		e.op("VMOVDQU64", z(0).x(), "(R9)")
	})
}
