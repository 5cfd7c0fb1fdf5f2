package main

// Kernels of operators that make each byte of the result of those at the same place, 64 at a time. They do not ask which
// of the bytes are elements.

// Fields of addArgs, mulArgs and lookupArgs.
const (
	elementsA      = 0
	elementsB      = 8
	elementsOut    = 16
	elementsBlocks = 24

	addHigh  = 32 // words: what a and b are multiplied by, less the 15 low bits
	addLow   = 36 // words: those
	addBias  = 40
	addShift = 44

	mulFactor = 32
	mulZeros  = 36 // words: the zero points of a and b, + 128
)

// each writes a loop over blocks of 64 bytes, at AX, BX and DX.
func (e *emitter) each(block func()) {
	e.op("MOVQ", at(elementsA, "DI"), "AX")
	e.op("MOVQ", at(elementsB, "DI"), "BX")
	e.op("MOVQ", at(elementsOut, "DI"), "DX")
	e.op("MOVQ", at(elementsBlocks, "DI"), "CX")
	loop := e.label("block")
	e.mark(loop)
	block()
	for _, r := range []string{"AX", "BX", "DX"} {
		e.op("ADDQ", imm(64), r)
	}
	e.op("DECQ", "CX")
	e.op("JNZ", loop)
	e.ret()
}

// add writes the sum of two tensors: (a*fa + b*fb + bias) >> shift, plus zero, within bounds. A factor has 22 bits, too
// many for a product of words, so it comes in two parts: the 15 low bits and the rest.
func add(e *emitter) {
	e.text("add64", "add64: 64 elements a time.", 0)
	const high, low, bias, shift, zero = z(16), z(17), z(18), z(19), z(20)
	e.loadClamp()
	e.op("VPBROADCASTD", at(addHigh, "DI"), high)
	e.op("VPBROADCASTD", at(addLow, "DI"), low)
	e.op("VPBROADCASTD", at(addBias, "DI"), bias)
	e.op("VPBROADCASTD", at(addShift, "DI"), shift)
	e.op("VPXORD", zero, zero, zero)
	e.each(func() {
		e.op("VMOVDQU64", "(AX)", z(0))
		e.op("VMOVDQU64", "(BX)", z(1))
		e.op("VPUNPCKLBW", z(1), z(0), z(4)) // bytes a, b
		e.op("VPUNPCKHBW", z(1), z(0), z(5))
		e.op("VPUNPCKLBW", zero, z(4), z(0)) // words a, b
		e.op("VPUNPCKHBW", zero, z(4), z(1))
		e.op("VPUNPCKLBW", zero, z(5), z(2))
		e.op("VPUNPCKHBW", zero, z(5), z(3))
		for i := range 4 {
			e.op("VPMADDWD", high, z(i), z(8+i))
			e.op("VPSLLD", imm(15), z(8+i), z(8+i))
			e.op("VPADDD", bias, z(8+i), z(8+i))
			e.op("VPDPWSSD", low, z(i), z(8+i))
			e.op("VPSRAVD", shift, z(8+i), z(8+i))
		}
		pack(e, 8, 9, 10, 11)
		e.op("VMOVDQU64", z(8), "(DX)")
	})
}

// mul writes the product of two tensors: (a - za) * (b - zb), a number of 17 bits, and what follows a sum of products.
func mul(e *emitter) {
	e.text("mul64", "mul64: 64 elements a time.", 0)
	const factor, zeroA, zeroB, zero = z(16), z(17), z(18), z(19)
	e.loadClamp()
	e.op("VPBROADCASTD", at(mulFactor, "DI"), factor)
	e.op("VPBROADCASTW", at(mulZeros, "DI"), zeroA)
	e.op("VPBROADCASTW", at(mulZeros+2, "DI"), zeroB)
	e.op("VPXORD", zero, zero, zero)
	e.each(func() {
		e.op("VMOVDQU64", "(AX)", z(0))
		e.op("VMOVDQU64", "(BX)", z(1))
		for i, unpack := range []string{"VPUNPCKLBW", "VPUNPCKHBW"} {
			a, b, low, high := z(4), z(5), z(6), z(7)
			e.op(unpack, zero, z(0), a)
			e.op(unpack, zero, z(1), b)
			e.op("VPSUBW", zeroA, a, a)
			e.op("VPSUBW", zeroB, b, b)
			e.op("VPMULLW", b, a, low)
			e.op("VPMULHW", b, a, high)
			e.op("VPUNPCKLWD", high, low, z(8+2*i))
			e.op("VPUNPCKHWD", high, low, z(9+2*i))
		}
		for i := range 4 {
			e.requant(z(8+i), factor)
		}
		pack(e, 8, 9, 10, 11)
		e.op("VMOVDQU64", z(8), "(DX)")
	})
}

// lookup writes the function of a byte by a table of all its values: one VPERMI2B looks up seven bits.
func lookup(e *emitter) {
	e.text("lookup64", "lookup64: 64 elements a time.", 0)
	e.op("MOVQ", at(elementsB, "DI"), "BX")
	for i := range 4 {
		e.op("VMOVDQU64", at(64*i, "BX"), z(4+i))
	}
	e.each(func() {
		e.op("VMOVDQU64", "(AX)", z(0))
		e.op("VPMOVB2M", z(0), "K1")
		e.op("VMOVDQA64", z(0), z(1))
		e.op("VPERMI2B", z(5), z(4), z(0))
		e.op("VPERMI2B", z(7), z(6), z(1))
		e.op("VMOVDQU8", z(1), "K1", z(0))
		e.op("VMOVDQU64", z(0), "(DX)")
	})
}
