// Command gen writes the amd64 kernels of package native: go generate in infer/native.
//
//	main.go       the emitter, the constants, the list of AVX-512 VNNI kernels
//	gemm.go       the matrix product: convolutions of any window, fully connected layers
//	slide.go      the convolution by filters three pixels wide
//	depthwise.go  the 3x3 depthwise convolution
//	taps.go       depthwise convolutions of other windows
//	mean.go       the mean over an image
//	pooling.go    pools
//	elements.go   sums and products of two tensors, functions of one
//	avx2*.go      the kernels for processors without AVX-512
//
// Operands are in the order of Go's assembler, the destination last, and are text, which it checks. A library of typed operands,
// avo, could have no VPDPBUSD without AVX-512, since the assembler has none: the family avxvnni is made of it, and dpbusd
// writes its bytes.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", ".", "the folder to write to")
	flag.Parse()
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join(*dir, name), text, 0o644); err != nil {
			log.Fatalf("gen: %v", err)
		}
	}
}

// files are the kernels by the names of their files.
func files() map[string][]byte {
	var wide, narrow emitter
	avx512File(&wide)
	avx2File(&narrow)
	return map[string][]byte{"vnni_amd64.s": wide.Bytes(), "avx2_amd64.s": narrow.Bytes()}
}

func avx512File(e *emitter) {
	e.begin()
	for _, e.twice = range []bool{false, true} {
		for _, shape := range [][2]int{{8, 2}, {8, 1}, {4, 4}, {4, 2}, {4, 1}, {1, 4}, {1, 2}, {1, 1}} {
			gemm(e, shape[0], shape[1])
		}
		for _, shape := range [][2]int{{16, 1}, {8, 1}, {8, 2}} {
			slide(e, shape[0], shape[1])
		}
		for _, rows := range []int{1, 2} {
			for _, stride := range []int{1, 2} {
				depthwise(e, rows, stride)
			}
		}
		taps(e, 64)
		taps(e, 32)
	}
	mean(e)
	averagePool(e)
	maxPool(e)
	add(e)
	mul(e)
	lookup(e)
}

// emitter collects assembler text.
type emitter struct {
	bytes.Buffer
	labels int
	twice  bool // kernels of sums round as TFLite's reference kernels do: see requant
}

// op writes one instruction: its name, then the operands joined by commas.
func (e *emitter) op(name string, operands ...any) {
	s := make([]string, len(operands))
	for i, o := range operands {
		s[i] = fmt.Sprint(o)
	}
	fmt.Fprintf(e, "\t%s %s\n", name, strings.Join(s, ", "))
}

// label returns a name that is new in the file; mark puts one down.
func (e *emitter) label(name string) string {
	e.labels++
	return fmt.Sprintf("%s%d", name, e.labels)
}

func (e *emitter) mark(label string) { fmt.Fprintf(e, "%s:\n", label) }

// text begins a function func name(a *args) with room for locals on the stack; the arguments' address is in DI.
func (e *emitter) text(name, doc string, locals int) {
	fmt.Fprintf(e, "\n// %s\nTEXT ·%s(SB), NOSPLIT, $%d-8\n", doc, name, locals)
	e.op("MOVQ", "a+0(FP)", "DI")
}

func (e *emitter) ret() {
	e.op("VZEROUPPER")
	e.op("RET")
}

// z is a 512-bit register; y and x are its low halves.
type z int

func (r z) String() string { return fmt.Sprintf("Z%d", int(r)) }
func (r z) y() string      { return fmt.Sprintf("Y%d", int(r)) }
func (r z) x() string      { return fmt.Sprintf("X%d", int(r)) }

// at is a memory operand.
func at(offset int, base string) string { return fmt.Sprintf("%d(%s)", offset, base) }

func imm(v int) string { return fmt.Sprintf("$%d", v) }

// Registers of the output stage, the same in every kernel of integers.
const (
	zeroWords = z(29) // 32 words: the output's zero point + 128
	lowBytes  = z(30) // 64 bytes: the least output, + 128
	highBytes = z(31) // 64 bytes: the largest
)

// The fields of struct clamp, which stands at the same offset in all arguments.
const (
	argZero = 64
	argLow  = 66
	argHigh = 67
)

func (e *emitter) loadClamp() {
	e.op("VPBROADCASTW", at(argZero, "DI"), zeroWords)
	e.op("VPBROADCASTB", at(argLow, "DI"), lowBytes)
	e.op("VPBROADCASTB", at(argHigh, "DI"), highBytes)
}

// name is that of a kernel of sums.
func (e *emitter) name(format string, sizes ...any) string {
	name := fmt.Sprintf(format, sizes...)
	if e.twice {
		name += "twice"
	}
	return name
}

// header is how many bytes of a panel an output channel takes before its weights: its bias and its scale in float32; or
// its bias, its multiplier, how far the product is shifted to the right and half of what that cuts off.
func (e *emitter) header() int {
	if e.twice {
		return 16
	}
	return 8
}

// loadRounding is what requant and requantAt want to be done before.
func (e *emitter) loadRounding() {
	e.loadClamp()
	if e.twice {
		e.op("MOVL", imm(0xaaaa), "AX")
		e.op("KMOVW", "AX", "K1") // the odd elements
	}
}

// requant turns 16 sums into integers: convert, multiply, round half to even. No sum times its scale reaches 2^31:
// the planner saw to it.
func (e *emitter) requant(sum, scale any) {
	e.op("VCVTDQ2PS", sum, sum)
	e.op("VMULPS", scale, sum, sum)
	e.op("VCVTPS2DQ", sum, sum)
}

// requantAt is requant by a panel at AX, the scales of these sums at an offset, each kind of number so many bytes after the
// one before. Rounding twice: the high half of twice the product with the multiplier, ties upward, even and odd elements
// apart; then the shift to the right, ties away from zero. The shift is at least 1, and no step leaves 32 bits: the planner
// saw to that, too.
func (e *emitter) requantAt(sum, scratch any, offset, kind int) {
	if !e.twice {
		e.requant(sum, at(offset, "AX"))
		return
	}
	e.op("VPSRLQ", imm(32), sum, scratch)
	e.op("VPMULDQ", at(offset, "AX"), sum, sum)
	e.op("VPMULDQ", at(offset+4, "AX"), scratch, scratch)
	e.op("VPADDQ", "nudge<>(SB)", sum, sum)
	e.op("VPADDQ", "nudge<>(SB)", scratch, scratch)
	e.op("VPSRLQ", imm(31), sum, sum)
	e.op("VPADDQ", scratch, scratch, scratch)
	e.op("VMOVDQA32", scratch, "K1", sum)
	e.op("VPSRAD", imm(31), sum, scratch)
	e.op("VPADDD", at(offset+2*kind, "AX"), sum, sum)
	e.op("VPADDD", scratch, sum, sum)
	e.op("VPSRAVD", at(offset+kind, "AX"), sum, sum)
}

// clampBytes limits 64 finished bytes to the activation's range.
func (e *emitter) clampBytes(r z) {
	e.op("VPMAXUB", lowBytes, r, r)
	e.op("VPMINUB", highBytes, r, r)
}

func (e *emitter) begin() {
	fmt.Fprint(e, `// Code generated by internal/gen. DO NOT EDIT.

#include "textflag.h"

`)
	e.data("rows2", 8, []int{0, 2, 4, 6, 1, 3, 5, 7})
	var quad []int
	for row := range 4 {
		for lane := range 4 {
			quad = append(quad, 4*lane+row)
		}
	}
	e.data("rows4", 4, quad)
	e.data("nudge", 8, slices.Repeat([]int{1 << 30}, 8))
}

// data is a read-only table of little-endian integers of size bytes each.
func (e *emitter) data(name string, size int, values []int) {
	for i, v := range values {
		fmt.Fprintf(e, "DATA %s<>+%d(SB)/%d, $%d\n", name, i*size, size, v)
	}
	fmt.Fprintf(e, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, size*len(values))
}
