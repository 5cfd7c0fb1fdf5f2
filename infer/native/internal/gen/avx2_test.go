package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// A disassembler reads the instruction that is written as bytes, with any register, as what was meant.
func TestDPBUSD(t *testing.T) {
	objdump, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("no objdump")
	}
	var e emitter
	var want []string
	for i := range 16 {
		sum, x, w := y(i), y((5*i+3)%16), y((7*i+9)%16)
		e.dpbusd(sum, x, int(w), "")
		want = append(want, fmt.Sprintf("%%ymm%d,%%ymm%d,%%ymm%d", w, x, sum))
		e.dpbusd(sum, x, 32*i, "AX")
		want = append(want, fmt.Sprintf("0x%x(%%rax),%%ymm%d,%%ymm%d", 32*i, x, sum))
	}
	e.dpbusd(1, 2, -64, "R12")
	e.dpbusd(1, 2, 64, "R13")
	want = append(want, "-0x40(%r12),%ymm2,%ymm1", "0x40(%r13),%ymm2,%ymm1")

	var code []byte
	for _, b := range regexp.MustCompile(`BYTE \$0x(..)`).FindAllStringSubmatch(e.String(), -1) {
		v, err := strconv.ParseUint(b[1], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, byte(v))
	}
	file := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(file, code, 0o644); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(objdump, "-D", "-b", "binary", "-m", "i386:x86-64", file).Output()
	if err != nil {
		t.Skipf("objdump: %v", err)
	}
	if !bytes.Contains(text, []byte("vpdpbusd")) {
		t.Skip("this objdump does not know AVX-VNNI")
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)\{vex\} vpdpbusd (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1])
	}
	if len(got) != len(want) {
		t.Fatalf("%d instructions, want %d:\n%s", len(got), len(want), text)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("instruction %d: %s, want %s", i, got[i], want[i])
		}
	}
}
