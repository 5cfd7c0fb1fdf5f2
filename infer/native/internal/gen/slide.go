package main

import "fmt"

// Fields of slideArgs; those before are gemmArgs'.
const (
	slideStep = 68 + 4 // after the clamp
)

// slide writes the kernel of filters three pixels wide that move by one: mr pixels next to each other in a row, by nz
// vectors of output channels. An input is loaded once for the three taps that see it: pixel p of the mr + 2 goes to the
// sums of p, p-1 and p-2. For each row of the filter:
//
//	Z0..Z15     the sums: pixel r and vector v of the panel in Z(r*nz + v)
//	Z16..Z21    the weights of four inputs: tap, then vector
//	Z22..Z27    four inputs of one pixel, in every dword
//	R8, R9, R10 where the first pixel, the second, and the last begin: the border may lie elsewhere
//	R11         the pixel at hand
//	R12, R13    once and three times the bytes from pixel to pixel
//	AX          the weights, read in order
//	BX          how far in the pixels; in the end from pixel to pixel of the output
//	CX          the table, read in order
//	DX          the output's next pixel
func slide(e *emitter, mr, nz int) {
	name := e.name("slide%dx%d", mr, nz)
	e.text(name, fmt.Sprintf("%s: %d pixels by %d output channels a block, three taps a row.", name, mr, 16*nz), 16)
	sum := func(row, v int) z { return z(row*nz + v) }
	weight := func(tap, v int) z { return z(16 + tap*nz + v) }

	e.loadRounding()
	e.op("VMOVDQU64", fmt.Sprintf("rows%d<>(SB)", 4/nz), z(28))
	e.op("MOVQ", at(gemmX, "DI"), "SI")
	e.op("MOVQ", at(gemmTable, "DI"), "CX")
	e.op("MOVQ", at(slideStep, "DI"), "R12")
	e.op("LEAQ", "(R12)(R12*2)", "R13")
	e.op("MOVQ", at(gemmBlocks, "DI"), "AX")
	e.op("MOVQ", "AX", "0(SP)")

	block, row, step := e.label("block"), e.label("row"), e.label("step")
	e.mark(block)
	e.op("MOVLQSX", "(CX)", "DX")
	e.op("ADDQ", at(gemmOut, "DI"), "DX")
	e.op("ADDQ", imm(4), "CX")
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

	e.mark(row)
	for i, r := range []string{"R8", "R9", "R10"} {
		e.op("MOVLQSX", at(4*i, "CX"), r)
		e.op("ADDQ", "SI", r)
	}
	e.op("ADDQ", imm(12), "CX")
	e.op("XORL", "BX", "BX")

	e.mark(step)
	for i := range 3 * nz {
		e.op("VMOVDQU64", at(64*i, "AX"), z(16+i))
	}
	e.op("LEAQ", "(R9)(BX*1)", "R11")
	for p := range mr + 2 {
		in := z(22 + p%6)
		from := "(R11)"
		switch {
		case p == 0:
			from = "(R8)(BX*1)"
		case p == mr+1:
			from = "(R10)(BX*1)"
		default:
			from += []string{"", "(R12*1)", "(R12*2)", "(R13*1)"}[(p-1)%4]
		}
		e.op("VPBROADCASTD", from, in)
		if p%4 == 0 && p > 0 && p < mr {
			e.op("LEAQ", "(R11)(R12*4)", "R11")
		}
		for tap := range 3 {
			if r := p - tap; r >= 0 && r < mr {
				for v := range nz {
					e.op("VPDPBUSD", weight(tap, v), in, sum(r, v))
				}
			}
		}
	}
	e.op("ADDQ", imm(3*64*nz), "AX")
	e.op("ADDQ", imm(4), "BX")
	e.op("CMPQ", "BX", at(gemmK, "DI"))
	e.op("JLT", step)
	e.op("DECQ", "8(SP)")
	e.op("JNZ", row)

	e.store(mr, nz, sum, func(v int) z { return weight(0, v) })
	e.op("DECQ", "0(SP)")
	e.op("JNZ", block)
	e.ret()
}
