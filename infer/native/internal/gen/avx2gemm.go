package main

import "fmt"

// avx2Gemm writes the matrix product of a panel nv vectors of eight channels wide, mr rows at a time. The arguments are
// gemmArgs, the order of a panel's columns is that of gemm. For each block of rows:
//
//	Y0..        the sums: row r and vector v of the panel in Y(r*nv + v)
//	then nv     the weights, four bytes each of 8 output channels; in the end the scales
//	then 1      four bytes of one row, in every dword
//	Y15         the products of VPMADDWD
//	R8..R15     where the rows' inputs of this tap begin
//	R14         how long a panel is: while it is read, the one after it comes nearer
//	AX          the weights, read in order
//	BX          how far in the tap
//	CX          the table, read in order
//	DX          the output's next row
func avx2Gemm(e *emitter, p product, mr, nv int) {
	name := fmt.Sprintf("%sGemm%dx%d", p.prefix, mr, nv)
	e.text(name, fmt.Sprintf("%s: %d rows by %d output channels a block.", name, mr, 8*nv), 24+clampSize)
	sum := func(row, v int) y { return y(row*nv + v) }
	weight := func(v int) y { return y(mr*nv + v) }
	row := func(r int) string { return fmt.Sprintf("R%d", 8+r) }
	in, scratch := y(mr*nv+nv), y(15)

	clamps := e.frameClamps(24)
	e.op("MOVQ", at(gemmX, "DI"), "SI")
	e.op("MOVQ", at(gemmTable, "DI"), "CX")
	e.op("MOVQ", at(gemmOut, "DI"), "DX")
	e.op("MOVQ", at(gemmBlocks, "DI"), "AX")
	e.op("MOVQ", "AX", "0(SP)")
	e.op("MOVQ", at(gemmK, "DI"), "AX")
	e.op("SUBQ", imm(4), "AX")
	e.op("MOVQ", "AX", "16(SP)") // where in a tap the last step is

	ahead := mr <= 6 // there is a register left
	if ahead {
		e.op("MOVQ", at(gemmK, "DI"), "R14")
		e.op("IMULQ", at(gemmTaps, "DI"), "R14")
		e.op("IMULQ", imm(nv*p.weightSize()/4), "R14")
		e.op("ADDQ", imm(64*nv), "R14")
	}

	block, tap, step := e.label("block"), e.label("tap"), e.label("step")
	last, done := e.label("last"), e.label("done")
	e.mark(block)
	e.op("MOVQ", at(gemmPanel, "DI"), "AX")
	for v := range nv {
		for r := range mr {
			e.op("VMOVDQU", at(32*v, "AX"), sum(r, v))
		}
	}
	e.op("ADDQ", imm(64*nv), "AX")
	e.op("MOVQ", at(gemmTaps, "DI"), "BX")
	e.op("MOVQ", "BX", "8(SP)")

	e.mark(tap)
	for r := range mr {
		e.op("MOVLQSX", at(4*r, "CX"), row(r))
		e.op("ADDQ", "SI", row(r))
	}
	e.op("ADDQ", imm(4*mr), "CX")
	e.op("XORL", "BX", "BX")

	multiply := func(at4 int) {
		for v := range nv {
			p.weights(e, (at4*nv+v)*p.weightSize(), weight(v))
		}
		for r := range mr {
			e.op("VPBROADCASTD", fmt.Sprintf("%d(%s)(BX*1)", 4*at4, row(r)), in)
			for v := range nv {
				e.multiply(p, weight(v), in, sum(r, v), scratch)
			}
		}
	}
	e.op("CMPQ", "BX", "16(SP)")
	e.op("JEQ", last)
	e.mark(step)
	if ahead {
		e.op("PREFETCHT0", "(AX)(R14*1)")
	}
	multiply(0)
	multiply(1)
	e.op("ADDQ", imm(2*nv*p.weightSize()), "AX")
	e.op("ADDQ", imm(8), "BX")
	e.op("CMPQ", "BX", "16(SP)")
	e.op("JLT", step)
	e.op("JGT", done)
	e.mark(last)
	multiply(0)
	e.op("ADDQ", imm(nv*p.weightSize()), "AX")
	e.mark(done)
	e.op("DECQ", "8(SP)")
	e.op("JNZ", tap)

	e.op("MOVQ", at(gemmPanel, "DI"), "AX")
	for v := range nv {
		e.op("VMOVDQU", at(32*(nv+v), "AX"), weight(v))
	}
	for r := range mr {
		for v := range nv {
			e.requantize(sum(r, v), weight(v))
		}
	}
	next := func() { e.op("ADDQ", at(gemmStride, "DI"), "DX") }
	switch nv {
	case 4: // a row is a vector of bytes
		for r := range mr {
			e.packWords(sum(r, 0), sum(r, 1), clamps)
			e.packWords(sum(r, 2), sum(r, 3), clamps)
			e.packBytes(sum(r, 0), sum(r, 2), clamps)
			e.op("VMOVDQU", sum(r, 0), "(DX)")
			next()
		}
	case 2: // two rows, 8 bytes of each in turn
		for r := range mr {
			e.packWords(sum(r, 0), sum(r, 1), clamps)
		}
		for r := 0; r < mr; r += 2 {
			other := min(r+1, mr-1)
			e.packBytes(sum(r, 0), sum(other, 0), clamps)
			e.op("VPERMQ", imm(0b11_01_10_00), sum(r, 0), sum(r, 0))
			e.op("VMOVDQU", sum(r, 0).x(), "(DX)")
			next()
			if other > r {
				e.op("VEXTRACTI128", imm(1), sum(r, 0), "(DX)")
				next()
			}
		}
	case 1: // four rows, 4 bytes of each in turn
		e.op("VMOVDQU", "rowsOfDwords<>(SB)", scratch)
		for r := 0; r < mr; r += 4 {
			of := func(i int) y { return sum(min(r+i, mr-1), 0) }
			e.packWords(of(0), of(1), clamps)
			if mr > 1 {
				e.packWords(of(2), of(3), clamps)
			}
			e.packBytes(of(0), of(2), clamps)
			e.op("VPERMD", of(0), scratch, of(0))
			e.op("VMOVQ", of(0).x(), "(DX)")
			next()
			if mr == 1 {
				break
			}
			e.op("VMOVHPS", of(0).x(), "(DX)")
			next()
			e.op("VEXTRACTI128", imm(1), of(0), of(0).x())
			e.op("VMOVQ", of(0).x(), "(DX)")
			next()
			e.op("VMOVHPS", of(0).x(), "(DX)")
			next()
		}
	}
	e.op("DECQ", "0(SP)")
	e.op("JNZ", block)
	e.ret()
}
