package main

// Fields of poolArgs.
const (
	poolX      = 0
	poolOut    = 16
	poolPixels = 32
	poolClamp  = 64
)

// pool writes a pooling kernel, 16 channels at a time. Of each output pixel the table has how many pixels the window
// holds, then their offsets. begin, gather and finish compute: gather has a pixel's bytes in V4, finish leaves 16 in V0.
func (o output) pool(name string, begin, gather, finish func()) {
	o.text(name, "16 channels a time.")
	const x, next, at0, to, channels, place = r(1), r(6), r(8), r(9), r(10), r(11)
	const all = r(19) // blocks of 16 channels
	o.op("LDP", at(poolX, 0), pair(base, table))
	o.op("LDP", at(poolOut, 0), pair(out, outStep))
	o.op("LDP", at(poolPixels, 0), pair(pixels, all))
	o.bounds(poolClamp)
	pixel, block, tap := o.label("pixel"), o.label("block"), o.label("tap")
	o.mark(pixel)
	o.op("MOVD", base, x)
	o.op("MOVD", all, channels)
	o.op("MOVD", out, to)
	o.mark(block)
	o.op("MOVW", at(0, table), poolCount)
	o.op("ADD", imm(4), table, next)
	begin()
	o.mark(tap)
	o.op("MOVW.P", at(4, next), place)
	o.load(4, x, place)
	o.op("SUBS", imm(1), poolCount, poolCount)
	gather()
	o.op("BNE", tap)
	finish()
	o.op("VST1.P", list("B16", 0), at(16, to))
	o.op("ADD", imm(16), x, x)
	o.op("SUBS", imm(1), channels, channels)
	o.op("BNE", block)
	o.op("MOVD", next, table)
	o.op("ADD", outStep, out, out)
	o.op("SUBS", imm(1), pixels, pixels)
	o.op("BNE", pixel)
	o.op("RET")
}

// poolCount is how many pixels of the window are left.
const poolCount = r(5)

// averagePool rounds the mean half away from zero: half the count goes to the sum with the sum's sign, and the quotient is
// cut off. That of two integers of less than 24 bits, computed in float32, is the integers' own: where they do not divide,
// it is further from an integer than it can be wrong.
func averagePool(e *emitter) {
	const half, count, sign, each = v(16), v(17), v(18), v(19)
	o := output{e, 29, 30, 31}
	sums := []v{0, 1, 2, 3}
	o.pool("averagePool16", func() {
		for _, s := range sums {
			e.op("VEOR", s.in("B16"), s.in("B16"), s.in("B16"))
		}
		e.op("VDUP", poolCount, count.in("S4"))
	}, func() {
		e.addBytes(4, sums)
	}, func() {
		e.op("VSHL", imm(7), count.in("S4"), each.in("S4")) // 128 a byte
		for _, s := range sums {
			e.op("VSUB", each.in("S4"), s.in("S4"), s.in("S4"))
		}
		e.op("VUSHR", imm(1), count.in("S4"), half.in("S4"))
		e.do(scvtf, count, count)
		e.op("VMOVI", imm(0x80+97), each.in("B16")) // -31, to shift by
		for _, s := range sums {
			e.do(sshl, sign, s, each)
			e.op("VEOR", half.in("B16"), sign.in("B16"), v(20).in("B16"))
			e.op("VSUB", sign.in("S4"), v(20).in("S4"), v(20).in("S4"))
			e.op("VADD", v(20).in("S4"), s.in("S4"), s.in("S4"))
			e.do(scvtf, s, s)
			e.do(fdiv, s, s, count)
			e.do(fcvtzs, s, s)
		}
		o.pack(sums...)
	})
}

// addBytes adds 16 bytes to as many sums; V5 and V6 are used on the way.
func (e *emitter) addBytes(x v, sums []v) {
	e.wider(x, "B", 5, 6)
	for i := range 2 {
		e.op("VUADDW", v(5+i).in("H4"), sums[2*i].in("S4"), sums[2*i].in("S4"))
		e.op("VUADDW2", v(5+i).in("H8"), sums[2*i+1].in("S4"), sums[2*i+1].in("S4"))
	}
}

func maxPool(e *emitter) {
	o := output{e, 29, 30, 31}
	o.pool("maxPool16", func() {
		e.copyTo(0, o.low)
	}, func() {
		e.op("VUMAX", v(4).in("B16"), v(0).in("B16"), v(0).in("B16"))
	}, func() {
		e.op("VUMIN", o.high.in("B16"), v(0).in("B16"), v(0).in("B16"))
	})
}
