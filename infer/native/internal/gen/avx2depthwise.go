package main

import "fmt"

// groups writes the loops over groups of output rows and over their pixels. The columns' registers change roles rather
// than places, so the body of the inner loop stands for as many columns as it takes until each is back in its own. The
// function pixel computes the window that begins at a column.
//
//	DX, SI      the output rows
//	BX          pixels left in the output row
func (e *emitter) groups(rows, stride, period int, column, pixel func(n int)) {
	e.op("MOVQ", at(depthwisePanel, "DI"), "AX")
	e.op("MOVQ", at(depthwiseTable, "DI"), "CX")
	e.op("MOVQ", at(depthwiseGroups, "DI"), "BX")
	e.op("MOVQ", "BX", "0(SP)")
	group, next, done := e.label("group"), e.label("pixel"), e.label("done")
	e.mark(group)
	for r, out := range []string{"DX", "SI"}[:rows] {
		e.op("MOVLQSX", at(4*r, "CX"), out)
		e.op("ADDQ", at(depthwiseOut, "DI"), out)
	}
	e.op("ADDQ", imm(4*rows), "CX")
	e.op("MOVQ", at(depthwiseWidth, "DI"), "BX")
	e.op("XORL", "R14", "R14")
	for n := range 3 - stride {
		column(n)
	}
	e.mark(next)
	for x := 0; x < period; x += stride {
		for n := x + 3 - stride; n < x+3; n++ {
			column(n)
		}
		pixel(x)
		e.op("DECQ", "BX")
		if x+stride < period {
			e.op("JZ", done)
		}
	}
	e.op("JNZ", next)
	e.mark(done)
	e.op("DECQ", "0(SP)")
	e.op("JNZ", group)
	e.ret()
}

// avx2Depthwise writes the 3x3 kernel of 16 channels. A register holds pairs of int16 of 8 channels, for VPMADDWD: of
// each column the bytes of its first two rows, and of each two neighbours those of the third row.
//
//	Y0..Y5      the first two rows of three columns: channels 0-3 and 8-11, then 4-7 and 12-15
//	Y6..Y9      the third row: columns x and x+1, then x+1 and x+2
//	Y10, Y11    the third row of the last two columns
//	Y12, Y13    the sums
//	Y14, Y15    products
func avx2Depthwise(e *emitter, stride int) {
	name := fmt.Sprintf("avx2Depthwise%d", stride)
	e.text(name, fmt.Sprintf("%s: 3x3, stride %d, 16 channels a time.", name, stride), 16+clampSize)
	clamps := e.frameClamps(16)
	upper := func(n, half int) y { return y(n%3*2 + half) }
	lower := func(n, half int) y { return y(6 + n%2*2 + half) }
	third := func(n int) y { return y(10 + (n+2)%2) }
	sum := func(half int) y { return y(12 + half) }
	unpack := []string{"VPUNPCKLWD", "VPUNPCKHWD"}
	column := func(n int) {
		e.columns(1, func(row func(i int) string) {
			e.op("VPMOVZXBW", row(0), y(12))
			e.op("VPMOVZXBW", row(1), y(13))
			e.op("VPMOVZXBW", row(2), third(n))
			for half, op := range unpack {
				e.op(op, y(13), y(12), upper(n, half))
				if n > 0 {
					e.op(op, third(n), third(n-1), lower(n-1, half))
				}
			}
		})
	}
	pixel := func(n int) {
		for i, pair := range []func(half int) y{
			func(half int) y { return upper(n, half) },
			func(half int) y { return upper(n+1, half) },
			func(half int) y { return upper(n+2, half) },
			func(half int) y { return lower(n, half) },
			func(half int) y { return lower(n+1, half) },
		} {
			for half := range 2 {
				e.op("VPMADDWD", at(128+64*i+32*half, "AX"), pair(half), y(14+half))
				if i == 0 {
					e.op("VPADDD", at(32*half, "AX"), y(14+half), sum(half))
				} else {
					e.op("VPADDD", y(14+half), sum(half), sum(half))
				}
			}
		}
		e.store16(sum(0), sum(1), clamps)
		e.op("ADDQ", at(depthwiseOutStep, "DI"), "DX")
	}
	e.groups(1, stride, 6, column, pixel)
}

// store16 requantizes the sums of 16 channels, with the scales after the panel's biases, and writes them to (DX).
func (e *emitter) store16(a, b y, clamps clamps) {
	e.requantize(a, at(64, "AX"))
	e.requantize(b, at(96, "AX"))
	e.packWords(a, b, clamps)
	e.packBytes(a, a, clamps)
	e.op("VPERMQ", imm(0b00_00_10_00), a, a)
	e.op("VMOVDQU", a.x(), "(DX)")
}

// avx2DepthwisePairs writes the kernel of any depthwise window: two taps of 16 channels at a time, found by a table.
func avx2DepthwisePairs(e *emitter) {
	e.text("avx2DepthwisePairs", "avx2DepthwisePairs: any window, 16 channels a time.", 16+clampSize)
	clamps := e.frameClamps(16)
	e.op("MOVQ", at(tapsX, "DI"), "SI")
	e.op("MOVQ", at(tapsTable, "DI"), "CX")
	e.op("MOVQ", at(tapsPanel, "DI"), "AX")
	e.op("MOVQ", at(tapsOut, "DI"), "DX")
	e.op("MOVQ", at(tapsPixels, "DI"), "R10")
	pixel, pair := e.label("pixel"), e.label("pair")
	e.mark(pixel)
	e.op("VMOVDQU", at(0, "AX"), y(0))
	e.op("VMOVDQU", at(32, "AX"), y(1))
	e.op("LEAQ", at(128, "AX"), "R11")
	e.op("MOVQ", at(tapsGroups, "DI"), "BX")
	e.mark(pair)
	e.op("MOVLQSX", "(CX)", "R8")
	e.op("MOVLQSX", "4(CX)", "R9")
	e.op("ADDQ", imm(8), "CX")
	e.op("VPMOVZXBW", "(SI)(R8*1)", y(2))
	e.op("VPMOVZXBW", "(SI)(R9*1)", y(3))
	e.op("VPUNPCKLWD", y(3), y(2), y(4))
	e.op("VPUNPCKHWD", y(3), y(2), y(5))
	e.op("VPMADDWD", "(R11)", y(4), y(4))
	e.op("VPMADDWD", "32(R11)", y(5), y(5))
	e.op("VPADDD", y(4), y(0), y(0))
	e.op("VPADDD", y(5), y(1), y(1))
	e.op("ADDQ", imm(64), "R11")
	e.op("DECQ", "BX")
	e.op("JNZ", pair)
	e.store16(y(0), y(1), clamps)
	e.op("ADDQ", at(tapsOutStep, "DI"), "DX")
	e.op("DECQ", "R10")
	e.op("JNZ", pixel)
	e.ret()
}

// avxvnniDepthwise writes the 3x3 kernel of 32 channels of one output row at a time, or of 16 of two: that of depthwise
// in registers half as long.
//
//	Y0..Y11     three columns of the window, four vectors each: a dword holds the column's three bytes of a channel
//	Y12..Y15    the sums; and on the way to a column, its bytes
func avxvnniDepthwise(e *emitter, rows, stride int) {
	name := fmt.Sprintf("avxvnniDepthwise%drows%d", stride, rows)
	e.text(name, fmt.Sprintf("%s: 3x3, stride %d, %d channels of %d rows a time.", name, stride, 32/rows, rows), 16+clampSize)
	clamps := e.frameClamps(16)
	column := func(n int) {
		e.columns(rows, func(row func(i int) string) {
			for i := range 3 {
				if rows == 1 {
					e.op("VMOVDQU", row(i), y(12+i))
				} else {
					e.op("VMOVDQU", row(i), y(12+i).x())
					e.op("VINSERTI128", imm(1), row(3+i), y(12+i), y(12+i))
				}
			}
			to := func(v int) y { return y(n%3*4 + v) }
			e.op("VPUNPCKLBW", y(13), y(12), to(0))
			e.op("VPUNPCKHBW", y(13), y(12), to(2))
			e.op("VPUNPCKLBW", y(14), y(14), y(12))
			e.op("VPUNPCKHBW", y(14), y(14), y(13))
			e.op("VPUNPCKHWD", y(12), to(0), to(1))
			e.op("VPUNPCKLWD", y(12), to(0), to(0))
			e.op("VPUNPCKHWD", y(13), to(2), to(3))
			e.op("VPUNPCKLWD", y(13), to(2), to(2))
		})
	}
	pixel := func(n int) {
		sum := func(v int) y { return y(12 + v) }
		for v := range 4 {
			e.op("VMOVDQU", at(32*v, "AX"), sum(v))
		}
		for kx := range 3 {
			for v := range 4 {
				e.multiply(avxvnni, at(256+128*kx+32*v, "AX"), y((n+kx)%3*4+v), sum(v), 0)
			}
		}
		for v := range 4 {
			e.requantize(sum(v), at(128+32*v, "AX"))
		}
		e.packWords(sum(0), sum(1), clamps)
		e.packWords(sum(2), sum(3), clamps)
		e.packBytes(sum(0), sum(2), clamps)
		if rows == 1 {
			e.op("VMOVDQU", sum(0), "(DX)")
		} else {
			e.op("VMOVDQU", sum(0).x(), "(DX)")
			e.op("VEXTRACTI128", imm(1), sum(0), "(SI)")
			e.op("ADDQ", at(depthwiseOutStep, "DI"), "SI")
		}
		e.op("ADDQ", at(depthwiseOutStep, "DI"), "DX")
	}
	period := 3
	if stride == 2 {
		period = 6
	}
	e.groups(rows, stride, period, column, pixel)
}
