package main

// Fields of addArgs.
const (
	addA      = 0
	addB      = 8
	addOut    = 16
	addBlocks = 24
	addFirst  = 32 // fa, fb, bias, shift, zero, least, most
)

// add writes the sum of two tensors, 16 elements at a time: (a*fa + b*fb + bias) >> shift, plus zero, least to most.
func add(e *emitter) {
	e.text("add16", "add16: 16 elements a time.", 0)
	const fa, fb, bias, shift, zero, least, most = z(2), z(3), z(4), z(5), z(6), z(7), z(8)
	for i, r := range []z{fa, fb, bias, shift, zero, least, most} {
		e.op("VPBROADCASTD", at(addFirst+4*i, "DI"), r)
	}
	e.op("MOVQ", at(addA, "DI"), "AX")
	e.op("MOVQ", at(addB, "DI"), "BX")
	e.op("MOVQ", at(addOut, "DI"), "DX")
	e.op("MOVQ", at(addBlocks, "DI"), "CX")
	block := e.label("block")
	e.mark(block)
	e.op("VPMOVZXBD", "(AX)", z(0))
	e.op("VPMOVZXBD", "(BX)", z(1))
	e.op("VPMULLD", fa, z(0), z(0))
	e.op("VPMULLD", fb, z(1), z(1))
	e.op("VPADDD", bias, z(0), z(0))
	e.op("VPADDD", z(1), z(0), z(0))
	e.op("VPSRAVD", shift, z(0), z(0))
	e.op("VPADDD", zero, z(0), z(0))
	e.op("VPMAXSD", least, z(0), z(0))
	e.op("VPMINSD", most, z(0), z(0))
	e.op("VPMOVDB", z(0), "(DX)")
	for _, r := range []string{"AX", "BX", "DX"} {
		e.op("ADDQ", imm(16), r)
	}
	e.op("DECQ", "CX")
	e.op("JNZ", block)
	e.ret()
}
