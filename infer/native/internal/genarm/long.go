package main

import "fmt"

// long writes the matrix product of eight output channels, one or two rows at a time, without dot products: SMULL of the
// first and SMLAL2 of the second eight bytes of a row with those of a channel leave sums of two products, which 16 bits
// hold, and SADALP adds them in pairs to the channel's four sums. For each block of rows:
//
//	V0..V15     the sums: row i and channel j in V(8*i + j), four each
//	V16, V17    16 inputs of each row
//	V18..V21    16 weights of two channels by turns; in the end the scales
//	V22..V29    sums of two products, by turns
//	V30         what makes bytes signed
func long(e *emitter, mr int, x input) {
	name := fmt.Sprintf("long%dx8%s", mr, x)
	e.text(name, fmt.Sprintf("%d rows by 8 output channels a block.", mr))
	const flip = v(30)
	sum := func(i, j int) v { return v(8*i + j) }
	in := func(i int) v { return v(16 + i) }
	weight := func(j int) v { return v(18 + j%4) }
	product := func(i, j int) v { return v(22 + 4*(j/2%2) + 2*(j%2) + i) }
	o := output{e, 22, 23, 24}

	e.loadGemm()
	e.op("VMOVI", imm(0x80), flip.in("B16"))
	block, tap, chunk, tail, done := e.label("block"), e.label("tap"), e.label("chunk"), e.label("tail"), e.label("done")
	e.mark(block)
	for i := range mr {
		for j := 0; j < 8; j += 2 { // into the first of each four sums
			e.op("FLDPS", at(4*j, start), pair(sum(i, j), sum(i, j+1)))
		}
	}
	e.op("ADD", imm(64), start, panel)
	e.op("MOVD", taps, tapsTo)
	e.mark(tap)
	e.rows(mr)

	// each has channels j and j+1 of all rows.
	each := func(j int, f func(i, j int)) {
		for c := j; c < j+2; c++ {
			for i := range mr {
				f(i, c)
			}
		}
	}
	e.op("CBZ", chunks, tail)
	e.op("MOVD", chunks, left)
	e.mark(chunk)
	for i := range mr {
		e.op("FMOVQ.P", at(16, row+r(i)), in(i))
	}
	e.op("SUBS", imm(1), left, left)
	for i := range mr {
		x.factor(e, in(i), flip)
	}
	for j := 0; j < 8; j += 2 {
		e.op("FLDPQ.P", at(32, panel), pair(weight(j), weight(j+1)))
		each(j, func(i, j int) { e.do(smull, product(i, j), in(i), weight(j)) })
		each(j, func(i, j int) { e.do(smlal2, product(i, j), in(i), weight(j)) })
		each(j, func(i, j int) { e.do(sadalp, sum(i, j), product(i, j)) })
	}
	e.op("BNE", chunk)

	// Eight bytes more: in both halves of a register, as a register has the weights of two channels.
	e.mark(tail)
	e.op("CBZ", rest, done)
	for i := range mr {
		e.op("VLD1R", at(0, row+r(i)), list("D2", in(i)))
	}
	for i := range mr {
		x.factor(e, in(i), flip)
	}
	for j := 0; j < 8; j += 2 {
		if j%4 == 0 {
			e.op("FLDPQ.P", at(32, panel), pair(weight(0), weight(1)))
		}
		w := weight(j / 2 % 2)
		each(j, func(i, j int) { e.do([2]instruction{smull, smull2}[j%2], product(i, j), in(i), w) })
		each(j, func(i, j int) { e.do(sadalp, sum(i, j), product(i, j)) })
	}
	e.mark(done)
	e.op("SUBS", imm(1), tapsTo, tapsTo)
	e.op("BNE", tap)

	e.op("FLDPQ", at(32, start), pair(weight(0), weight(1)))
	o.bounds(gemmClamp)
	for n := 8; n > 2; n /= 2 { // each four sums into one
		for i := range mr {
			for j := 0; j < n; j += 2 {
				a, b := sum(i, j), sum(i, j+1)
				e.op("VADDP", b.in("S4"), a.in("S4"), sum(i, j/2).in("S4"))
			}
		}
	}
	var sums []v
	for i := range mr {
		sums = append(sums, sum(i, 0), sum(i, 1))
	}
	o.round(sums, []v{weight(0), weight(1)})
	o.pack(sums...)
	if mr == 2 {
		e.halves(sums[0])
	} else {
		e.op("VST1.P", list("B8", sums[0]), fmt.Sprintf("(%v)(%v)", out, stride))
	}
	e.op("SUBS", imm(1), blocks, blocks)
	e.op("BNE", block)
	e.op("RET")
}
