package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"
)

const kernels = "../.."

// The assembler files are what the generator writes.
func TestGenerated(t *testing.T) {
	for name, want := range files() {
		got, err := os.ReadFile(filepath.Join(kernels, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes: go generate", name)
		}
	}
}

// word is an instruction of the assembler files that Go's assembler does not know.
type word struct {
	code uint32
	text string
}

// words are all of them, each once.
func words(t *testing.T) (all []word) {
	line := regexp.MustCompile(`(?m)^\tWORD \$0x([0-9a-f]{8}) // (.*)$`)
	seen := map[string]bool{}
	for _, text := range files() {
		found := line.FindAllStringSubmatch(string(text), -1)
		if n := strings.Count(string(text), "WORD"); len(found) != n {
			t.Fatalf("%d of %d words have a mnemonic", len(found), n)
		}
		for _, m := range found {
			code, err := strconv.ParseUint(m[1], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			if !seen[m[0]] {
				all = append(all, word{uint32(code), m[2]})
			}
			seen[m[0]] = true
		}
	}
	if len(all) == 0 {
		t.Fatal("no words")
	}
	return all
}

// Every word in the files is the instruction that its comment says, by a disassembler that knows all but SDOT.
func TestEncodings(t *testing.T) {
	for _, w := range words(t) {
		if strings.HasPrefix(w.text, "sdot ") {
			continue
		}
		in, err := arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, w.code))
		if err != nil {
			t.Errorf("%08x, %s: %v", w.code, w.text, err)
		} else if got := strings.ReplaceAll(arm64asm.GNUSyntax(in), ",x", ", x"); got != w.text {
			t.Errorf("%08x is %s, not %s", w.code, got, w.text)
		}
	}
	if code, text := sdot.encode(0, 1, 2); code != 0x4e829420 {
		t.Errorf("%s is not %08x", text, code)
	}
}

// The same by a disassembler that knows them all.
func TestEncodingsByObjdump(t *testing.T) {
	const objdump = "aarch64-linux-gnu-objdump"
	if _, err := exec.LookPath(objdump); err != nil {
		t.Skipf("%s is not installed (Debian: binutils-aarch64-linux-gnu)", objdump)
	}
	all := words(t)
	var code []byte
	for _, w := range all {
		code = binary.LittleEndian.AppendUint32(code, w.code)
	}
	file := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(file, code, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(objdump, "-D", "-b", "binary", "-m", "aarch64", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := regexp.MustCompile(`(?m)^ *[0-9a-f]+:\t[0-9a-f]{8} \t(.*)$`).FindAllStringSubmatch(string(out), -1)
	if len(got) != len(all) {
		t.Fatalf("%d of %d words disassembled", len(got), len(all))
	}
	for i, w := range all {
		if text := strings.ReplaceAll(got[i][1], "\t", " "); text != w.text {
			t.Errorf("%08x is %s, not %s", w.code, text, w.text)
		}
	}
}
