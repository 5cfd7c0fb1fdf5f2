package main

import "fmt"

// Fields of depthwiseArgs.
const (
	depthwiseX       = 0
	depthwisePanel   = 16
	depthwiseOutStep = 32
	depthwiseGroups  = 48
	depthwiseClamp   = 64
)

// Registers of the depthwise kernels, beside those that they share with the matrix products: start, table, out, base.
const (
	pixels  = r(4)  // of the output row left
	groups  = r(5)  // output rows left
	line    = r(8)  // and the next two: the rows of the window
	columns = r(14) // left before the rows' addresses change: see depthwiseArgs.table
	inStep  = r(16)
	outStep = r(17)
	width   = r(19)
	first   = r(20) // the output's first row
)

// window is a way to compute a pixel of a depthwise 3x3 convolution.
type window interface {
	name() string
	prepare(k depthwiseKernel)              // loads what stays in registers
	rows(place int) v                       // where the bytes of the column that goes to a place are loaded, three rows
	column(k depthwiseKernel, place int)    // makes the column of them
	pixel(k depthwiseKernel, places [3]int) // leaves the sums of the window whose columns are at places in sums
	registers() (sums, scales v)            // the scales by two
}

// depthwiseKernel is that of vectors of four channels, four or two; its output stage has V29..V31, what makes bytes
// signed V28 or, as the rest, what the window leaves it.
type depthwiseKernel struct {
	output
	nv   int
	flip v
}

// depthwise writes the kernels of 16 and 8 channels and of strides 1 and 2.
func depthwise(e *emitter, w window) {
	for _, stride := range []int{1, 2} {
		for _, nv := range []int{4, 2} {
			k := depthwiseKernel{output{e, 29, 30, 31}, nv, 28}
			k.write(w, stride)
		}
	}
}

func (k depthwiseKernel) write(w window, stride int) {
	name := fmt.Sprintf("%sDepthwise%dx%d", w.name(), stride, 4*k.nv)
	k.text(name, fmt.Sprintf("3x3, stride %d, %d channels a time.", stride, 4*k.nv))
	k.op("LDP", at(depthwiseX, 0), pair(base, table))
	k.op("LDP", at(depthwisePanel, 0), pair(start, first))
	k.op("LDP", at(depthwiseOutStep, 0), pair(outStep, inStep))
	k.op("LDP", at(depthwiseGroups, 0), pair(groups, width))
	k.bounds(depthwiseClamp)
	k.op("VMOVI", imm(0x80), k.flip.in("B16"))
	w.prepare(k)

	group, pixel, done := k.label("group"), k.label("pixel"), k.label("done")
	k.mark(group)
	k.op("MOVW.P", at(4, table), out)
	k.op("ADD", first, out, out)
	k.op("MOVD", width, pixels)
	k.op("MOVD", "ZR", columns)

	// The columns' registers change roles rather than places, so the loop's body stands as often as it takes until
	// each is back in its own.
	column := func(place int) {
		k.next(w.rows(place))
		w.column(k, place)
	}
	compute := func(places [3]int) {
		w.pixel(k, places)
		k.finish(w)
		k.op("SUBS", imm(1), pixels, pixels)
	}
	if stride == 1 {
		column(0)
		column(1)
		k.mark(pixel)
		for i := range 3 {
			column((i + 2) % 3)
			compute([3]int{i, (i + 1) % 3, (i + 2) % 3})
			if i < 2 {
				k.op("BEQ", done)
			}
		}
	} else {
		column(0)
		k.mark(pixel)
		for i := range 2 {
			oldest, newest := 2*i, 2-2*i
			column(1)
			column(newest)
			compute([3]int{oldest, 1, newest})
			if i == 0 {
				k.op("BEQ", done)
			}
		}
	}
	k.op("BNE", pixel)
	k.mark(done)
	k.op("SUBS", imm(1), groups, groups)
	k.op("BNE", group)
	k.op("RET")
}

// next loads the bytes of a column of the window, and signs them.
func (k depthwiseKernel) next(rows v) {
	loaded := k.label("column")
	k.op("SUBS", imm(1), columns, columns)
	k.op("BGE", loaded)
	k.op("LDPSW.P", at(8, table), pair(columns, line))
	k.op("LDPSW.P", at(8, table), pair(line+1, line+2))
	k.op("SUB", imm(1), columns, columns)
	for i := range r(3) {
		k.op("ADD", base, line+i, line+i)
	}
	k.mark(loaded)
	for i := range 3 {
		k.op("VLD1.P", fmt.Sprintf("(%v)(%v)", line+r(i), inStep), list(k.bytes(), rows+v(i)))
	}
	for i := range 3 {
		k.signed(rows+v(i), k.flip)
	}
}

// bytes is the arrangement of a pixel's channels.
func (k depthwiseKernel) bytes() string { return map[int]string{4: "B16", 2: "B8"}[k.nv] }

// finish writes the pixel whose sums there are.
func (k depthwiseKernel) finish(w window) {
	first, scales := w.registers()
	var sums []v
	for i := range k.nv {
		sums = append(sums, first+v(i))
	}
	for _, s := range sums {
		k.do(scvtf, s, s)
	}
	for i := 0; i < k.nv; i += 2 {
		k.op("FLDPQ", at(16*(k.nv+i), start), pair(scales, scales+1))
		k.do(fmul, sums[i], sums[i], scales)
		k.do(fmul, sums[i+1], sums[i+1], scales+1)
	}
	for _, s := range sums {
		k.do(fcvtns, s, s)
	}
	k.pack(sums...)
	k.op("VST1.P", list(k.bytes(), sums[0]), fmt.Sprintf("(%v)(%v)", out, outStep))
}

// dotWindow weaves the three bytes that a column has of a channel, and one of weight 0, into the four of a dot product:
//
//	V0..V11     three columns of up to four vectors
//	V12..V15    the sums
//	V16..V19    a column's bytes, row by row; weights; scales
//	V20..V23    the order of weaving
//	V24..V27    more weights
type dotWindow struct{}

var dotColumns dotWindow

func (dotWindow) name() string                { return "dot" }
func (dotWindow) rows(int) v                  { return 16 }
func (dotWindow) registers() (sums, scales v) { return 12, 16 }

func (dotWindow) prepare(k depthwiseKernel) { k.weaving(20) }

func (dotWindow) column(k depthwiseKernel, place int) {
	for i := range k.nv {
		k.op("VTBL", v(20+i).in("B16"), list("B16", 16, 17, 18), v(4*place+i).in("B16"))
	}
}

func (dotWindow) pixel(k depthwiseKernel, places [3]int) {
	const sums = v(12)
	for i := 0; i < k.nv; i += 2 {
		k.op("FLDPQ", at(16*i, start), pair(sums+v(i), sums+v(i)+1))
	}
	free := []v{16, 18, 24, 26} // pairs of registers for weights, by turns
	for kx, place := range places {
		for i := 0; i < k.nv; i += 2 {
			w := free[0]
			free = append(free[1:], w)
			k.op("FLDPQ", at(32*k.nv+16*(kx*k.nv+i), start), pair(w, w+1))
			for n := range v(2) {
				k.do(sdot, sums+v(i)+n, v(4*place+i)+n, w+n)
			}
		}
	}
}

// longWindow multiplies bytes to 16 bits, two products a sum, and adds these to the sums of 32 bits:
//
//	V0..V8      three columns of three rows
//	V9..V17     the weights in the same order
//	V18..V21    the sums
//	V22, V23    sums of two products; scales
//	V24..V27    what the sums begin with
type longWindow struct{}

var longColumns longWindow

func (longWindow) name() string                { return "long" }
func (longWindow) rows(place int) v            { return v(3 * place) }
func (longWindow) registers() (sums, scales v) { return 18, 22 }

func (longWindow) prepare(k depthwiseKernel) {
	for i := 0; i < k.nv; i += 2 {
		k.op("FLDPQ", at(16*i, start), pair(v(24+i), v(25+i)))
	}
	k.op("ADD", imm(32*k.nv), start, r(1))
	for t := range 9 {
		k.op("VLD1.P", at(4*k.nv, 1), list(k.bytes(), v(9+t)))
	}
}

func (longWindow) column(depthwiseKernel, int) {}

// pixel takes the taps in pairs, column by column; the ninth is alone.
func (longWindow) pixel(k depthwiseKernel, places [3]int) {
	const low, high = v(22), v(23)
	for t := 0; t < 9; t += 2 {
		for n := t; n < min(t+2, 9); n++ {
			x, w := v(3*places[n/3]+n%3), v(9+n)
			mul := [2][2]instruction{{smull, smull2}, {smlal, smlal2}}[n%2]
			k.do(mul[0], low, x, w)
			if k.nv == 4 {
				k.do(mul[1], high, x, w)
			}
		}
		for i := range k.nv {
			from := v(18 + i)
			if t == 0 {
				from = v(24 + i)
			}
			k.do([2]instruction{saddw, saddw2}[i%2], v(18+i), from, low+v(i/2))
		}
	}
}
