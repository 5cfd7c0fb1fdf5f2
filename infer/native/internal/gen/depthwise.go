package main

import "fmt"

// Fields of depthwiseArgs.
const (
	depthwiseX       = 0
	depthwiseTable   = 8
	depthwisePanel   = 16
	depthwiseOut     = 24
	depthwiseOutStep = 32
	depthwiseInStep  = 40
	depthwiseGroups  = 48
	depthwiseWidth   = 56
)

// depthwise writes the 3x3 kernel of 64 channels of one output row at a time, or of 32 channels of two.
//
//	Z0..Z11     three columns of the window, four vectors each: a dword holds the column's three bytes of a channel
//	Z12..Z23    the weights in the same order: column, then vector
//	Z24..Z28    the sums; and on the way to a column, its bytes
//	R8..R13     the three rows of the window, of both output rows
//	R14         columns left before the rows' addresses change: see depthwiseArgs.table
//	R15         how far along the rows
//	DX, SI      the output rows
//	BX          pixels left in the output row
func depthwise(e *emitter, rows, stride int) {
	name := e.name("depthwise%drows%d", stride, rows)
	e.text(name, fmt.Sprintf("%s: 3x3, stride %d, %d channels of %d rows a time.", name, stride, 64/rows, rows), 8)
	k := depthwiseKernel{e, rows}
	e.loadRounding()
	e.op("MOVQ", at(depthwisePanel, "DI"), "AX")
	for i := range 12 {
		e.op("VMOVDQU64", at(64*e.header()+64*i, "AX"), z(12+i))
	}
	e.op("MOVQ", at(depthwiseTable, "DI"), "CX")
	e.op("MOVQ", at(depthwiseGroups, "DI"), "BX")
	e.op("MOVQ", "BX", "0(SP)")

	group, pixel, done := e.label("group"), e.label("pixel"), e.label("done")
	e.mark(group)
	for r, out := range []string{"DX", "SI"}[:rows] {
		e.op("MOVLQSX", at(4*r, "CX"), out)
		e.op("ADDQ", at(depthwiseOut, "DI"), out)
	}
	e.op("ADDQ", imm(4*rows), "CX")
	e.op("MOVQ", at(depthwiseWidth, "DI"), "BX")
	e.op("XORL", "R14", "R14")

	// The columns' registers change roles rather than places, so the loop's body stands as often as it takes until
	// each is back in its own.
	switch stride {
	case 1:
		k.column(0)
		k.column(1)
		e.mark(pixel)
		for i := range 3 {
			k.column((i + 2) % 3)
			k.pixel(i, (i+1)%3, (i+2)%3)
			e.op("DECQ", "BX")
			if i < 2 {
				e.op("JZ", done)
			}
		}
	case 2:
		k.column(0)
		e.mark(pixel)
		for i := range 2 {
			first, last := 2*i, 2-2*i
			k.column(1)
			k.column(last)
			k.pixel(first, 1, last)
			e.op("DECQ", "BX")
			if i < 1 {
				e.op("JZ", done)
			}
		}
	}
	e.op("JNZ", pixel)
	e.mark(done)
	e.op("DECQ", "0(SP)")
	e.op("JNZ", group)
	e.ret()
}

type depthwiseKernel struct {
	*emitter
	rows int
}

// column loads the next column into the registers of place p. Bytes r0, r1, r2 of a channel become the dword
// (r0, r1, r2, r2); the last one's weight is 0.
func (k depthwiseKernel) column(p int) {
	k.columns(k.rows, func(row func(i int) string) {
		for i := range 3 {
			r := z(24 + i)
			if k.rows == 1 {
				k.op("VMOVDQU64", row(i), r)
			} else {
				k.op("VMOVDQU64", row(i), r.y())
				k.op("VINSERTI64X4", imm(1), row(3+i), r, r)
			}
		}
	})
	k.op("VPUNPCKLBW", z(25), z(24), z(27))
	k.op("VPUNPCKHBW", z(25), z(24), z(28))
	k.op("VPUNPCKLBW", z(26), z(26), z(24))
	k.op("VPUNPCKHBW", z(26), z(26), z(25))
	k.op("VPUNPCKLWD", z(24), z(27), z(4*p))
	k.op("VPUNPCKHWD", z(24), z(27), z(4*p+1))
	k.op("VPUNPCKLWD", z(25), z(28), z(4*p+2))
	k.op("VPUNPCKHWD", z(25), z(28), z(4*p+3))
}

// columns writes what load does with the next column, of which row is the address in a row of the window, of output row
// after output row. Where a run of columns ends, the table gives the addresses of the next: see depthwiseArgs.table.
func (e *emitter) columns(rows int, load func(row func(i int) string)) {
	loaded := e.label("column")
	e.op("SUBQ", imm(1), "R14")
	e.op("JCC", loaded)
	e.op("MOVLQSX", "(CX)", "R14")
	e.op("DECQ", "R14")
	for i := range 3 * rows {
		e.op("MOVLQSX", at(4+4*i, "CX"), fmt.Sprintf("R%d", 8+i))
		e.op("ADDQ", at(depthwiseX, "DI"), fmt.Sprintf("R%d", 8+i))
	}
	e.op("ADDQ", imm(4+12*rows), "CX")
	e.op("XORL", "R15", "R15")
	e.mark(loaded)
	load(func(i int) string { return fmt.Sprintf("(R%d)(R15*1)", 8+i) })
	e.op("ADDQ", at(depthwiseInStep, "DI"), "R15")
}

// pixel computes 64 outputs from the columns at three places.
func (k depthwiseKernel) pixel(places ...int) {
	for v := range 4 {
		k.op("VMOVDQU64", at(64*v, "AX"), z(24+v))
	}
	for kx, p := range places {
		for v := range 4 {
			k.op("VPDPBUSD", z(12+4*kx+v), z(4*p+v), z(24+v))
		}
	}
	for v := range 4 {
		k.requantAt(z(24+v), z(28), 256+64*v, 256)
	}
	pack(k.emitter, 24, 25, 26, 27)
	if k.rows == 1 {
		k.op("VMOVDQU64", z(24), "(DX)")
	} else {
		k.op("VMOVDQU64", z(24).y(), "(DX)")
		k.op("VEXTRACTI64X4", imm(1), z(24), "(SI)")
		k.op("ADDQ", at(depthwiseOutStep, "DI"), "SI")
	}
	k.op("ADDQ", at(depthwiseOutStep, "DI"), "DX")
}
