package main

// Kernels of operators that make each byte of the result of those at the same place. They do not ask which of the bytes
// are elements.

// mean writes the mean over pixels, 16 channels at a time: round(sum * factor + bias), both float32.
func mean(e *emitter) {
	e.text("mean16", "16 channels a time.")
	o := output{e, 29, 30, 31}
	const factor, bias, first = v(16), v(17), v(18)
	const x, to, pixels, step, count, at0, n = r(2), r(3), r(4), r(5), r(6), r(7), r(8)
	e.op("LDP", at(0, 0), pair(x, to))
	e.op("LDP", at(16, 0), pair(pixels, step))
	e.op("MOVD", at(32, 0), count)
	o.bounds(52)
	e.op("ADD", imm(40), r(0), r(1))
	for _, c := range []v{factor, bias, first} {
		e.op("VLD1R.P", at(4, 1), list("S4", c))
	}
	block, pixel := e.label("block"), e.label("pixel")
	e.mark(block)
	sums := []v{0, 1, 2, 3}
	for _, s := range sums {
		e.copyTo(s, first)
	}
	e.op("MOVD", x, at0)
	e.op("MOVD", pixels, n)
	e.mark(pixel)
	e.op("VLD1.P", "(R7)(R5)", list("B16", 4))
	e.op("SUBS", imm(1), n, n)
	e.addBytes(4, sums)
	e.op("BNE", pixel)
	for _, s := range sums {
		e.do(scvtf, s, s)
	}
	for _, s := range sums {
		e.do(fmul, s, s, factor)
	}
	for _, s := range sums {
		e.do(fadd, s, s, bias)
	}
	for _, s := range sums {
		e.do(fcvtns, s, s)
	}
	o.pack(sums...)
	e.op("VST1.P", list("B16", 0), at(16, to))
	e.op("ADD", imm(16), x, x)
	e.op("SUBS", imm(1), count, count)
	e.op("BNE", block)
	e.op("RET")
}

// wider puts the halves of a vector of unsigned integers, each twice as wide, into low and high.
func (e *emitter) wider(x v, from string, low, high v) {
	small, all, wide := map[string]string{"B": "B8", "H": "H4"}[from], map[string]string{"B": "B16", "H": "H8"}[from],
		map[string]string{"B": "H8", "H": "S4"}[from]
	e.op("VUXTL", x.in(small), low.in(wide))
	e.op("VUXTL2", x.in(all), high.in(wide))
}

// pairwise writes a loop over blocks of 16 bytes of two tensors, loaded into V4 and V12, for which block leaves four
// vectors of integers in V0..V3; n constants of 32 bits after the four pointers go to registers from constants on.
func (e *emitter) pairwise(name string, constants v, n int, block func(o output)) {
	e.text(name, "16 elements a time.")
	o := output{e, 29, 30, 31}
	const a, b, to, count = r(2), r(3), r(4), r(5)
	e.op("LDP", at(0, 0), pair(a, b))
	e.op("LDP", at(16, 0), pair(to, count))
	o.bounds(32 + 4*n)
	e.op("ADD", imm(32), r(0), r(1))
	for i := range n {
		e.op("VLD1R.P", at(4, 1), list("S4", constants+v(i)))
	}
	loop := e.label("block")
	e.mark(loop)
	e.op("VLD1.P", at(16, a), list("B16", 4))
	e.op("VLD1.P", at(16, b), list("B16", 12))
	block(o)
	o.pack(0, 1, 2, 3)
	e.op("VST1.P", list("B16", 0), at(16, to))
	e.op("SUBS", imm(1), count, count)
	e.op("BNE", loop)
	e.op("RET")
}

// add writes the sum of two tensors: (a*fa + b*fb + bias) >> shift, plus zero, limited.
func add(e *emitter) {
	const factor, bias, shift = v(20), v(22), v(23) // a's factor, b's after it
	e.pairwise("add16", factor, 4, func(output) {
		for i := range v(4) {
			e.copyTo(i, bias)
		}
		for t := range v(2) {
			x := 4 + 8*t
			e.wider(x, "B", x+1, x+2)
			e.wider(x+1, "H", x+3, x+4)
			e.wider(x+2, "H", x+5, x+6)
			for i := range v(4) {
				e.do(mla, i, x+3+i, factor+t)
			}
		}
		for i := range v(4) {
			e.do(sshl, i, i, shift)
		}
	})
}

// mul writes the product of two tensors less their zero points, scaled.
func mul(e *emitter) {
	const zeros, factor = v(20), v(22) // the zero points are bytes, four times
	e.pairwise("mul16", zeros, 3, func(o output) {
		for t := range v(2) {
			x := 4 + 8*t
			e.do(usubl, x+1, x, zeros+t)
			e.do(usubl2, x+2, x, zeros+t)
		}
		for i := range v(2) {
			e.do(smullWords, 2*i, 5+i, 13+i)
			e.do(smullWords2, 2*i+1, 5+i, 13+i)
		}
		o.round([]v{0, 1, 2, 3}, []v{factor})
	})
}

// lookup writes what replaces bytes by those of a table, which has V0..V15: a quarter of it at a time gives those within,
// and leaves the others.
func lookup(e *emitter) {
	e.text("lookup16", "16 bytes a time.")
	const x, to, count = r(1), r(3), r(4)
	const in, out, quarter = v(16), v(17), v(18)
	e.op("LDP", at(0, 0), pair(x, r(2)))
	e.op("LDP", at(16, 0), pair(to, count))
	var tables []string
	for q := range v(4) {
		registers := list("B16", 4*q, 4*q+1, 4*q+2, 4*q+3)
		e.op("VLD1.P", at(64, 2), registers)
		tables = append(tables, registers)
	}
	e.op("VMOVI", imm(64), quarter.in("B16"))
	loop := e.label("block")
	e.mark(loop)
	e.op("VLD1.P", at(16, x), list("B16", in))
	for q, registers := range tables {
		if q == 0 {
			e.op("VTBL", in.in("B16"), registers, out.in("B16"))
			continue
		}
		e.op("VSUB", quarter.in("B16"), in.in("B16"), in.in("B16"))
		e.op("VTBX", in.in("B16"), registers, out.in("B16"))
	}
	e.op("VST1.P", list("B16", out), at(16, to))
	e.op("SUBS", imm(1), count, count)
	e.op("BNE", loop)
	e.op("RET")
}

// toSigned writes what turns bytes q + 128 into q, 64 at a time.
func toSigned(e *emitter) {
	e.text("toSigned64", "64 bytes a time.")
	const x, to, count = r(1), r(2), r(3)
	const flip = v(4)
	e.op("LDP", at(0, 0), pair(x, to))
	e.op("MOVD", at(16, 0), count)
	e.op("VMOVI", imm(0x80), flip.in("B16"))
	loop := e.label("block")
	e.mark(loop)
	e.op("VLD1.P", at(64, x), list("B16", 0, 1, 2, 3))
	for i := range v(4) {
		e.op("VEOR", flip.in("B16"), i.in("B16"), i.in("B16"))
	}
	e.op("VST1.P", list("B16", 0, 1, 2, 3), at(64, to))
	e.op("SUBS", imm(1), count, count)
	e.op("BNE", loop)
	e.op("RET")
}
