package main

// output is what the output stage of a kernel of integers has in registers.
type output struct {
	*emitter
	zero, low, high v // 8 words: the output's zero point + 128; 16 bytes: the least and the largest output, + 128
}

// bounds fills them from a struct clamp at an offset from R0; R1 is used on the way.
func (o output) bounds(offset int) {
	o.op("ADD", imm(offset), r(0), r(1))
	o.op("VLD1R.P", at(2, 1), list("H8", o.zero))
	o.op("VLD1R.P", at(1, 1), list("B16", o.low))
	o.op("VLD1R", at(0, 1), list("B16", o.high))
}

// round turns sums into integers: convert, multiply by the channels' scales, round half to even. Every step saturates.
func (o output) round(sums, scales []v) {
	for _, s := range sums {
		o.do(scvtf, s, s)
	}
	for i, s := range sums {
		o.do(fmul, s, s, scales[i%len(scales)])
	}
	for _, s := range sums {
		o.do(fcvtns, s, s)
	}
}

// pack puts two or four vectors of integers, as bytes, into the first: the zero point is added, the result limited.
func (o output) pack(s ...v) {
	for i := 0; i < len(s); i += 2 {
		o.do(sqxtn, s[i], s[i])
	}
	for i := 0; i < len(s); i += 2 {
		o.do(sqxtn2, s[i], s[i+1])
	}
	for i := 0; i < len(s); i += 2 {
		o.do(sqadd, s[i], s[i], o.zero)
	}
	o.do(sqxtun, s[0], s[0])
	if len(s) == 4 {
		o.do(sqxtun2, s[0], s[2])
	}
	o.op("VUMAX", o.low.in("B16"), s[0].in("B16"), s[0].in("B16"))
	o.op("VUMIN", o.high.in("B16"), s[0].in("B16"), s[0].in("B16"))
}
