package main

// mean writes the mean over pixels, 16 channels at a time: round(sum * factor + bias), both float32.
func mean(e *emitter) {
	e.text("mean16", "16 channels a time.")
	o := output{e, 29, 30, 31}
	const factor, bias, first = v(16), v(17), v(18)
	const x, to, pixels, step, count, at0, n = r(2), r(3), r(4), r(5), r(6), r(7), r(8)
	e.op("LDP", at(0, 0), pair(x, to))
	e.op("LDP", at(16, 0), pair(pixels, step))
	e.op("MOVD", at(32, 0), count)
	o.load(52)
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
	e.wider(4, "B", 5, 6)
	for i := range 2 {
		e.op("VUADDW", v(5+i).in("H4"), v(2*i).in("S4"), v(2*i).in("S4"))
		e.op("VUADDW2", v(5+i).in("H8"), v(2*i+1).in("S4"), v(2*i+1).in("S4"))
	}
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

// add writes the sum of two tensors, 16 elements at a time: (a*fa + b*fb + bias) >> shift, plus zero, limited.
func add(e *emitter) {
	e.text("add16", "16 elements a time.")
	o := output{e, 29, 30, 31}
	const factor, bias, shift = v(20), v(22), v(23) // a's factor, b's after it
	const two, to, count = r(3), r(4), r(5)
	e.op("LDP", at(0, 0), pair(r(2), two))
	e.op("LDP", at(16, 0), pair(to, count))
	o.load(48)
	e.op("ADD", imm(32), r(0), r(1))
	for _, c := range []v{factor, factor + 1, bias, shift} {
		e.op("VLD1R.P", at(4, 1), list("S4", c))
	}
	block := e.label("block")
	e.mark(block)
	sums := []v{0, 1, 2, 3}
	for _, s := range sums {
		e.copyTo(s, bias)
	}
	for t := range 2 {
		x := v(4 + 8*t)
		e.op("VLD1.P", at(16, r(2+t)), list("B16", x))
		e.wider(x, "B", x+1, x+2)
		e.wider(x+1, "H", x+3, x+4)
		e.wider(x+2, "H", x+5, x+6)
		for i, s := range sums {
			e.do(mla, s, x+3+v(i), factor+v(t))
		}
	}
	for _, s := range sums {
		e.do(sshl, s, s, shift)
	}
	o.pack(sums...)
	e.op("VST1.P", list("B16", 0), at(16, to))
	e.op("SUBS", imm(1), count, count)
	e.op("BNE", block)
	e.op("RET")
}
