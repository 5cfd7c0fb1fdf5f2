package main

import "fmt"

// Fields of tapsArgs.
const (
	tapsX       = 0
	tapsTable   = 8
	tapsPanel   = 16
	tapsOut     = 24
	tapsOutStep = 32
	tapsPixels  = 40
	tapsGroups  = 48
)

// taps writes the depthwise kernel of any window, as many channels as a vector has bytes at a time: the taps of a pixel in
// groups of four, whose bytes are woven together as in depthwise. Width is 64 or 32.
//
//	Z0..Z3      the bytes of four taps
//	Z4..Z11     on the way to dwords
//	Z24..Z27    the sums
//	R8..R11     the taps' pixels
//	AX          the weights, read in order
//	BX          groups left
//	CX          the table, read in order
//	DX          the output
func taps(e *emitter, width int) {
	name := e.name("taps%d", width)
	e.text(name, fmt.Sprintf("%s: depthwise, any window, %d channels a time.", name, width), 8)
	r := func(i int) any {
		if width == 32 {
			return z(i).y()
		}
		return z(i)
	}
	e.loadRounding()
	e.op("MOVQ", at(tapsX, "DI"), "SI")
	e.op("MOVQ", at(tapsTable, "DI"), "CX")
	e.op("MOVQ", at(tapsOut, "DI"), "DX")
	e.op("MOVQ", at(tapsPixels, "DI"), "AX")
	e.op("MOVQ", "AX", "0(SP)")
	pixel, group := e.label("pixel"), e.label("group")
	e.mark(pixel)
	e.op("MOVQ", at(tapsPanel, "DI"), "AX")
	for v := range 4 {
		e.op("VMOVDQU64", at(width*v, "AX"), r(24+v))
	}
	e.op("ADDQ", imm(width*e.header()), "AX")
	e.op("MOVQ", at(tapsGroups, "DI"), "BX")
	e.mark(group)
	for i := range 4 {
		p := fmt.Sprintf("R%d", 8+i)
		e.op("MOVLQSX", at(4*i, "CX"), p)
		e.op("VMOVDQU64", fmt.Sprintf("(SI)(%s*1)", p), r(i))
	}
	e.op("ADDQ", imm(16), "CX")
	e.op("VPUNPCKLBW", r(1), r(0), r(4))
	e.op("VPUNPCKHBW", r(1), r(0), r(5))
	e.op("VPUNPCKLBW", r(3), r(2), r(6))
	e.op("VPUNPCKHBW", r(3), r(2), r(7))
	e.op("VPUNPCKLWD", r(6), r(4), r(8))
	e.op("VPUNPCKHWD", r(6), r(4), r(9))
	e.op("VPUNPCKLWD", r(7), r(5), r(10))
	e.op("VPUNPCKHWD", r(7), r(5), r(11))
	for v := range 4 {
		e.op("VPDPBUSD", at(width*v, "AX"), r(8+v), r(24+v))
	}
	e.op("ADDQ", imm(4*width), "AX")
	e.op("DECQ", "BX")
	e.op("JNZ", group)
	e.op("MOVQ", at(tapsPanel, "DI"), "AX")
	for v := range 4 {
		e.requantAt(r(24+v), r(4+v), 4*width+width*v, 4*width)
	}
	pack(e, 24, 25, 26, 27)
	e.op("VMOVDQU64", r(24), "(DX)")
	e.op("ADDQ", at(tapsOutStep, "DI"), "DX")
	e.op("DECQ", "0(SP)")
	e.op("JNZ", pixel)
	e.ret()
}
