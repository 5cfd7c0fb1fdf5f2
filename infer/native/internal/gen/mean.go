package main

// Fields of meanArgs.
const (
	meanX      = 0
	meanOut    = 8
	meanPixels = 16
	meanStep   = 24
	meanBlocks = 32
	meanFactor = 40
	meanBias   = 44
)

// mean writes the mean over pixels, 16 channels at a time: round(sum * factor + bias), both float32, 0 to 255.
func mean(e *emitter) {
	e.text("mean16", "mean16: 16 channels a time.", 0)
	e.op("VPBROADCASTD", at(meanFactor, "DI"), z(2))
	e.op("VPBROADCASTD", at(meanBias, "DI"), z(3))
	e.op("VPXORD", z(4), z(4), z(4))
	e.op("MOVQ", at(meanX, "DI"), "SI")
	e.op("MOVQ", at(meanOut, "DI"), "DX")
	e.op("MOVQ", at(meanBlocks, "DI"), "CX")
	block, pixel := e.label("block"), e.label("pixel")
	e.mark(block)
	e.op("VPBROADCASTD", at(meanFirst, "DI"), z(0))
	e.op("MOVQ", at(meanPixels, "DI"), "BX")
	e.op("MOVQ", "SI", "AX")
	e.mark(pixel)
	e.op("VPMOVZXBD", "(AX)", z(1))
	e.op("VPADDD", z(1), z(0), z(0))
	e.op("ADDQ", at(meanStep, "DI"), "AX")
	e.op("DECQ", "BX")
	e.op("JNZ", pixel)
	e.op("VCVTDQ2PS", z(0), z(0))
	e.op("VMULPS", z(2), z(0), z(0))
	e.op("VADDPS", z(3), z(0), z(0))
	e.op("VCVTPS2DQ", z(0), z(0))
	e.op("VPBROADCASTD", at(meanOffset, "DI"), z(1))
	e.op("VPADDD", z(1), z(0), z(0))
	e.op("VPMAXSD", z(4), z(0), z(0))
	e.op("VPMOVUSDB", z(0), "(DX)")
	e.op("ADDQ", imm(16), "SI")
	e.op("ADDQ", imm(16), "DX")
	e.op("DECQ", "CX")
	e.op("JNZ", block)
	e.ret()
}

const (
	meanFirst  = 48 // what a sum begins with: -128 a pixel
	meanOffset = 52 // what is added in the end: 128
)
