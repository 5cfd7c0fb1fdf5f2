package main

import "fmt"

// Fields of gemmArgs.
const (
	gemmX      = 0
	gemmTable  = 8
	gemmPanel  = 16
	gemmOut    = 24
	gemmStride = 32
	gemmBlocks = 40
	gemmTaps   = 48
	gemmK      = 56
)

// gemm writes the kernel of a panel nz vectors wide, mr rows at a time. For each block of rows:
//
//	Z0..Z15     the sums: row r and vector v of the panel in Z(r*nz + v)
//	Z16..Z19    the weights of four inputs and 16 output channels each; in the end the scales
//	Z20..Z27    four inputs of one row, in every dword
//	R8..R15     where the rows' inputs of this tap begin
//	AX          the weights, read in order
//	BX          how far in the tap; in the end from row to row of the output
//	CX          the table, read in order
//	DX          the output's next row
func gemm(e *emitter, mr, nz int) {
	name := e.name("gemm%dx%d", mr, nz)
	e.text(name, fmt.Sprintf("%s: %d rows by %d output channels a block.", name, mr, 16*nz), 16)
	sum := func(row, v int) z { return z(row*nz + v) }
	weight := func(v int) z { return z(16 + v) }
	row := func(r int) string { return fmt.Sprintf("R%d", 8+r) }

	e.loadRounding()
	if nz < 4 {
		e.op("VMOVDQU64", fmt.Sprintf("rows%d<>(SB)", 4/nz), z(28))
	}
	e.op("MOVQ", at(gemmX, "DI"), "SI")
	e.op("MOVQ", at(gemmTable, "DI"), "CX")
	e.op("MOVQ", at(gemmOut, "DI"), "DX")
	e.op("MOVQ", at(gemmBlocks, "DI"), "AX")
	e.op("MOVQ", "AX", "0(SP)")

	block, tap, step := e.label("block"), e.label("tap"), e.label("step")
	e.mark(block)
	e.op("MOVQ", at(gemmPanel, "DI"), "AX")
	for v := range nz {
		e.op("VMOVDQU64", at(64*v, "AX"), sum(0, v))
		for r := 1; r < mr; r++ {
			e.op("VMOVDQA64", sum(0, v), sum(r, v))
		}
	}
	e.op("ADDQ", imm(16*nz*e.header()), "AX")
	e.op("MOVQ", at(gemmTaps, "DI"), "BX")
	e.op("MOVQ", "BX", "8(SP)")

	e.mark(tap)
	for r := range mr {
		e.op("MOVLQSX", at(4*r, "CX"), row(r))
		e.op("ADDQ", "SI", row(r))
	}
	e.op("ADDQ", imm(4*mr), "CX")
	e.op("XORL", "BX", "BX")

	e.mark(step)
	for v := range nz {
		e.op("VMOVDQU64", at(64*v, "AX"), weight(v))
	}
	for r := range mr {
		in := z(20 + r%8)
		e.op("VPBROADCASTD", fmt.Sprintf("(%s)(BX*1)", row(r)), in)
		for v := range nz {
			e.op("VPDPBUSD", weight(v), in, sum(r, v))
		}
	}
	e.op("ADDQ", imm(64*nz), "AX")
	e.op("ADDQ", imm(4), "BX")
	e.op("CMPQ", "BX", at(gemmK, "DI"))
	e.op("JLT", step)
	e.op("DECQ", "8(SP)")
	e.op("JNZ", tap)

	e.store(mr, nz, sum, weight)
	e.op("DECQ", "0(SP)")
	e.op("JNZ", block)
	e.ret()
}

// store turns the sums of mr rows into bytes and writes them, each row gemmStride after the one before; DX goes along.
// scale is where the channels' scales may go (Z16..Z23 are free), Z28 holds the order of the bytes of rows.
func (e *emitter) store(mr, nz int, sum func(row, v int) z, scale func(v int) z) {
	e.op("MOVQ", at(gemmPanel, "DI"), "AX")
	if !e.twice {
		for v := range nz {
			e.op("VMOVDQU64", at(64*(nz+v), "AX"), scale(v))
		}
	}
	for r := range mr {
		for v := range nz {
			if e.twice {
				e.requantAt(sum(r, v), z(16+(r*nz+v)%8), 64*(nz+v), 64*nz)
			} else {
				e.requant(sum(r, v), scale(v))
			}
		}
	}
	e.op("MOVQ", at(gemmStride, "DI"), "BX")
	next := func() { e.op("ADDQ", "BX", "DX") }
	switch nz {
	case 4: // a row is a vector of bytes
		for r := range mr {
			pack(e, sum(r, 0), sum(r, 1), sum(r, 2), sum(r, 3))
			e.op("VMOVDQU64", sum(r, 0), "(DX)")
			next()
		}
	case 2: // two rows, 8 bytes of each in turn
		for r := 0; r < mr; r += 2 {
			other := min(r+1, mr-1)
			pack(e, sum(r, 0), sum(r, 1), sum(other, 0), sum(other, 1))
			e.op("VPERMQ", sum(r, 0), z(28), sum(r, 0))
			e.op("VMOVDQU64", sum(r, 0).y(), "(DX)")
			next()
			if other > r {
				e.op("VEXTRACTI64X4", imm(1), sum(r, 0), "(DX)")
				next()
			}
		}
	case 1: // four rows, 4 bytes of each in turn
		for r := 0; r < mr; r += 4 {
			of := func(i int) z { return sum(min(r+i, mr-1), 0) }
			pack(e, of(0), of(1), of(2), of(3))
			e.op("VPERMD", of(0), z(28), of(0))
			e.op("VMOVDQU64", of(0).x(), "(DX)")
			next()
			for i := 1; i < min(4, mr); i++ {
				e.op("VEXTRACTI32X4", imm(i), of(0), "(DX)")
				next()
			}
		}
	}
}

// pack puts four vectors of 16 integers into the 64 bytes of the first: in each of the four 16-byte lanes, four bytes
// of a, of b, of c, of d. The zero point is added and the result clamped.
func pack(e *emitter, a, b, c, d z) {
	e.op("VPACKSSDW", b, a, a)
	e.op("VPADDSW", zeroWords, a, a)
	words := a
	if c != a { // else one row is packed with itself
		words = c
		e.op("VPACKSSDW", d, c, c)
		e.op("VPADDSW", zeroWords, c, c)
	}
	e.op("VPACKUSWB", words, a, a)
	e.clampBytes(a)
}
