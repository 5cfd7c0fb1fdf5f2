package main

import "fmt"

// Registers and fields of the kernels of depthwise convolutions of any window, 16 channels at a time.
const (
	tapsOutStep = 32
	tapsGroups  = 48
	tapsClamp   = 64
)

// dotTaps writes that with SDOT, four taps at a time:
//
//	V0..V3      the sums
//	V4..V7      the taps' bytes
//	V8..V11     the order of weaving
//	V12..V15    the bytes woven
//	V16..V19    the weights; in the end the scales
func dotTaps(e *emitter) {
	const flip = v(28)
	o := output{e, 29, 30, 31}
	o.taps("dotTaps16", 4, flip, func() { e.weaving(8) }, func() {
		for i := range v(4) {
			e.op("VTBL", (8 + i).in("B16"), list("B16", 4, 5, 6, 7), (12 + i).in("B16"))
		}
		e.op("FLDPQ.P", at(32, panel), pair(v(16), v(17)))
		e.op("FLDPQ.P", at(32, panel), pair(v(18), v(19)))
		for i := range v(4) {
			e.do(sdot, i, 12+i, 16+i)
		}
	})
}

// longTaps writes that with SMULL and SMLAL, two taps at a time:
//
//	V0..V3      the sums
//	V4, V5      the taps' bytes
//	V6, V7      sums of two products
//	V16, V17    the weights; in the end V16..V19 the scales
func longTaps(e *emitter) {
	const flip = v(28)
	o := output{e, 29, 30, 31}
	o.taps("longTaps16", 2, flip, func() {}, func() {
		e.op("FLDPQ.P", at(32, panel), pair(v(16), v(17)))
		e.do(smull, 6, 4, 16)
		e.do(smull2, 7, 4, 16)
		e.do(smlal, 6, 5, 17)
		e.do(smlal2, 7, 5, 17)
		for i := range v(4) {
			e.do([2]instruction{saddw, saddw2}[i%2], i, i, 6+i/2)
		}
	})
}

// taps writes a kernel that takes n taps at a time: multiply adds the products of V4... and the panel's next weights to
// V0..V3.
func (o output) taps(name string, n int, flip v, prepare, multiply func()) {
	o.text(name, fmt.Sprintf("any window, %d taps of 16 channels a time.", n))
	o.op("LDP", at(depthwiseX, 0), pair(base, table))
	o.op("LDP", at(depthwisePanel, 0), pair(start, out))
	o.op("LDP", at(tapsOutStep, 0), pair(outStep, pixels))
	o.op("MOVD", at(tapsGroups, 0), groups)
	o.bounds(tapsClamp)
	o.op("VMOVI", imm(0x80), flip.in("B16"))
	prepare()
	pixel, group := o.label("pixel"), o.label("group")
	o.mark(pixel)
	o.op("FLDPQ", at(0, start), pair(v(0), v(1)))
	o.op("FLDPQ", at(32, start), pair(v(2), v(3)))
	o.op("ADD", imm(128), start, panel)
	o.op("MOVD", groups, left)
	o.mark(group)
	for i := 0; i < n; i += 2 {
		o.op("LDPSW.P", at(8, table), pair(row+r(i), row+r(i)+1))
	}
	for i := range n {
		o.load(v(4+i), base, row+r(i))
	}
	o.op("SUBS", imm(1), left, left)
	for i := range n {
		o.signed(v(4+i), flip)
	}
	multiply()
	o.op("BNE", group)
	o.op("FLDPQ", at(64, start), pair(v(16), v(17)))
	o.op("FLDPQ", at(96, start), pair(v(18), v(19)))
	o.round([]v{0, 1, 2, 3}, []v{16, 17, 18, 19})
	o.pack(0, 1, 2, 3)
	o.op("VST1.P", list("B16", 0), fmt.Sprintf("(%v)(%v)", out, outStep))
	o.op("SUBS", imm(1), pixels, pixels)
	o.op("BNE", pixel)
	o.op("RET")
}

// weavingTable is for VTBL on the registers of four rows of bytes: channel c's are c, 16+c, 32+c and 48+c. Of three rows
// the last is out of range, which gives 0.
func (e *emitter) weavingTable() {
	fmt.Fprintln(e)
	for c := range 16 {
		fmt.Fprintf(e, "DATA weaving<>+%d(SB)/4, $0x%02x%02x%02x%02x\n", 4*c, 48+c, 32+c, 16+c, c)
	}
	fmt.Fprintln(e, "GLOBL weaving<>(SB), RODATA|NOPTR, $64")
}

// weaving loads the table into four registers.
func (e *emitter) weaving(x v) {
	e.op("MOVD", "$weaving<>(SB)", r(1))
	e.op("VLD1", at(0, 1), list("B16", x, x+1, x+2, x+3))
}
