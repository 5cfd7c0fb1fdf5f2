package main

import (
	"fmt"
	"strings"
)

// instruction is one that Go's assembler does not know: the word with all registers 0, and how its operands' elements
// are arranged. The names are Arm's; the words are those of the Arm Architecture Reference Manual, section C7.2.
type instruction struct {
	name    string
	word    uint32
	d, n, m string // m is "" for an instruction with one source, "4b[]" where it is one element of a register
}

// By what they do: dot products; products and sums of integers; floating point; narrower integers.
var (
	sdot        = instruction{"sdot", 0x4e809400, "4s", "16b", "16b"}
	sdotElement = instruction{"sdot", 0x4f80e000, "4s", "16b", "4b[]"}

	smull       = instruction{"smull", 0x0e20c000, "8h", "8b", "8b"}
	smull2      = instruction{"smull2", 0x4e20c000, "8h", "16b", "16b"}
	smullWords  = instruction{"smull", 0x0e60c000, "4s", "4h", "4h"}
	smullWords2 = instruction{"smull2", 0x4e60c000, "4s", "8h", "8h"}

	smlal  = instruction{"smlal", 0x0e208000, "8h", "8b", "8b"}
	smlal2 = instruction{"smlal2", 0x4e208000, "8h", "16b", "16b"}
	sadalp = instruction{"sadalp", 0x4e606800, "4s", "8h", ""}
	saddw  = instruction{"saddw", 0x0e601000, "4s", "4s", "4h"}
	saddw2 = instruction{"saddw2", 0x4e601000, "4s", "4s", "8h"}
	usubl  = instruction{"usubl", 0x2e202000, "8h", "8b", "8b"}
	usubl2 = instruction{"usubl2", 0x6e202000, "8h", "16b", "16b"}
	mla    = instruction{"mla", 0x4ea09400, "4s", "4s", "4s"}
	sshl   = instruction{"sshl", 0x4ea04400, "4s", "4s", "4s"}

	scvtf  = instruction{"scvtf", 0x4e21d800, "4s", "4s", ""}
	fmul   = instruction{"fmul", 0x6e20dc00, "4s", "4s", "4s"}
	fdiv   = instruction{"fdiv", 0x6e20fc00, "4s", "4s", "4s"}
	fadd   = instruction{"fadd", 0x4e20d400, "4s", "4s", "4s"}
	fcvtzs = instruction{"fcvtzs", 0x4ea1b800, "4s", "4s", ""}
	fcvtns = instruction{"fcvtns", 0x4e21a800, "4s", "4s", ""}

	sqxtn   = instruction{"sqxtn", 0x0e614800, "4h", "4s", ""}
	sqxtn2  = instruction{"sqxtn2", 0x4e614800, "8h", "4s", ""}
	sqadd   = instruction{"sqadd", 0x4e600c00, "8h", "8h", "8h"}
	sqxtun  = instruction{"sqxtun", 0x2e212800, "8b", "8h", ""}
	sqxtun2 = instruction{"sqxtun2", 0x6e212800, "16b", "8h", ""}
)

// encode is the instruction's word and text for a destination and its sources: n, then m if there is one, then the index
// of m's element if it is one.
func (in instruction) encode(d v, operands ...int) (word uint32, text string) {
	register := func(i int, arrangement string) string { return fmt.Sprintf("v%d.%s", i, arrangement) }
	n := operands[0]
	word = in.word | uint32(d) | uint32(n)<<5
	text = in.name + " " + register(int(d), in.d) + ", " + register(n, in.n)
	if in.m == "" {
		return word, text
	}
	m := operands[1]
	word |= uint32(m) << 16
	if element, ok := strings.CutSuffix(in.m, "[]"); ok {
		i := operands[2]
		word |= uint32(i&1)<<21 | uint32(i>>1)<<11
		return word, fmt.Sprintf("%s, %s[%d]", text, register(m, element), i)
	}
	return word, text + ", " + register(m, in.m)
}

// load writes the load of a vector from the sum of two registers, which Go's assembler does not know either.
func (e *emitter) load(x v, base, index r) {
	word := 0x3ce06800 | uint32(index)<<16 | uint32(base)<<5 | uint32(x)
	fmt.Fprintf(e, "\tWORD $0x%08x // ldr q%d, [x%d, x%d]\n", word, int(x), int(base), int(index))
}
