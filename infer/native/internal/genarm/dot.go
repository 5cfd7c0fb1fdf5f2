package main

import "fmt"

// Fields of gemmArgs.
const (
	gemmX      = 0
	gemmPanel  = 16
	gemmStride = 32
	gemmTaps   = 48
	gemmRest   = 64
	gemmClamp  = 72
)

// Registers of the matrix products.
const (
	panel  = r(1)  // the weights, read in order
	table  = r(2)  // read in order
	out    = r(3)  // the output's next row
	blocks = r(4)  // left
	tapsTo = r(5)  // taps left
	left   = r(6)  // chunks of 16 bytes of the tap left
	base   = r(7)  // what the table's offsets are from
	row    = r(8)  // and the following, up to eight: where the rows' inputs are
	chunks = r(16) // of a tap
	rest   = r(17) // what a tap has beyond them
	stride = r(19) // bytes from output row to output row
	taps   = r(20)
	start  = r(21) // the panel
)

// loadGemm reads the arguments.
func (e *emitter) loadGemm() {
	e.op("LDP", at(gemmX, 0), pair(base, table))
	e.op("LDP", at(gemmPanel, 0), pair(start, out))
	e.op("LDP", at(gemmStride, 0), pair(stride, blocks))
	e.op("LDP", at(gemmTaps, 0), pair(taps, chunks))
	e.op("MOVD", at(gemmRest, 0), rest)
}

// rows takes the addresses of the rows' inputs from the table.
func (e *emitter) rows(n int) {
	for i := 0; i < n; i += 2 {
		if i+1 < n {
			e.op("LDPSW.P", at(8, table), pair(row+r(i), row+r(i)+1))
		} else {
			e.op("MOVW.P", at(4, table), row+r(i))
		}
	}
	for i := range n {
		e.op("ADD", base, row+r(i), row+r(i))
	}
}

// dot writes the matrix product of nv vectors of four output channels, mr rows at a time, by SDOT of four bytes of a row
// with four of each channel. For each block of rows:
//
//	V0..V15     the sums: row i and vector j of the panel in V(i*nv + j)
//	V16..V23    16 inputs of each row; in the end the scales
//	V20..V27    the weights of four inputs in nv vectors, two sets by turns; only V24..V27 where nv is 2
//	V28..V31    what makes bytes signed; zero point, bounds
func dot(e *emitter, mr, nv int, x input) {
	name := fmt.Sprintf("dot%dx%d%s", mr, 4*nv, x)
	e.text(name, fmt.Sprintf("%d rows by %d output channels a block.", mr, 4*nv))
	sum := func(i, j int) v { return v(i*nv + j) }
	in := func(i int) v { return v(16 + i) }
	weight := func(step, j int) v { return v(28 - 2*nv + step%2*nv + j) }
	const flip = v(28)
	o := output{e, 29, 30, 31}

	e.loadGemm()
	o.bounds(gemmClamp)
	e.op("VMOVI", imm(0x80), flip.in("B16"))

	block, tap, chunk, tail, done := e.label("block"), e.label("tap"), e.label("chunk"), e.label("tail"), e.label("done")
	e.mark(block)
	for i := range mr {
		for j := 0; j < nv; j += 2 {
			e.op("FLDPQ", at(16*j, start), pair(sum(i, j), sum(i, j+1)))
		}
	}
	e.op("ADD", imm(32*nv), start, panel)
	e.op("MOVD", taps, tapsTo)
	e.mark(tap)
	e.rows(mr)

	// step is the product of four inputs of each row, those of element s.
	weights := func(s int) {
		for j := 0; j < nv; j += 2 {
			e.op("FLDPQ.P", at(32, panel), pair(weight(s, j), weight(s, j+1)))
		}
	}
	step := func(s int) {
		for i := range mr {
			for j := range nv {
				e.element(sdotElement, sum(i, j), s, weight(s, j), in(i))
			}
		}
	}
	e.op("CBZ", chunks, tail)
	e.op("MOVD", chunks, left)
	e.mark(chunk)
	for i := range mr {
		e.op("FMOVQ.P", at(16, row+r(i)), in(i))
	}
	weights(0)
	e.op("SUBS", imm(1), left, left)
	for i := range mr {
		x.factor(e, in(i), flip)
	}
	for s := range 4 {
		if s < 3 {
			weights(s + 1)
		}
		step(s)
	}
	e.op("BNE", chunk)

	// One to three steps more; the inputs are read as 16 bytes all the same.
	e.mark(tail)
	e.op("CBZ", rest, done)
	for i := range mr {
		e.op("FMOVQ", at(0, row+r(i)), in(i))
	}
	weights(0)
	e.op("CMP", imm(2), rest)
	for i := range mr {
		x.factor(e, in(i), flip)
	}
	step(0)
	e.op("BLT", done)
	weights(1)
	step(1)
	e.op("BEQ", done)
	weights(2)
	step(2)
	e.mark(done)
	e.op("SUBS", imm(1), tapsTo, tapsTo)
	e.op("BNE", tap)

	var scales []v
	for j := 0; j < nv; j += 2 {
		e.op("FLDPQ", at(16*(nv+j), start), pair(in(j), in(j+1)))
		scales = append(scales, in(j), in(j+1))
	}
	switch nv {
	case 4: // a row is a vector of bytes
		for i := range mr {
			sums := []v{sum(i, 0), sum(i, 1), sum(i, 2), sum(i, 3)}
			o.round(sums, scales)
			o.pack(sums...)
			e.op("VST1.P", list("B16", sums[0]), fmt.Sprintf("(%v)(%v)", out, stride))
		}
	case 2: // two rows are
		for i := 0; i < mr; i += 2 {
			sums := []v{sum(i, 0), sum(i, 1), sum(i+1, 0), sum(i+1, 1)}
			o.round(sums, scales)
			o.pack(sums...)
			e.halves(sums[0])
		}
	}
	e.op("SUBS", imm(1), blocks, blocks)
	e.op("BNE", block)
	e.op("RET")
}

// halves writes the halves of a vector to two output rows.
func (e *emitter) halves(x v) {
	for i := range 2 {
		e.op("VST1.P", fmt.Sprintf("V%d.D[%d]", int(x), i), fmt.Sprintf("(%v)(%v)", out, stride))
	}
}
