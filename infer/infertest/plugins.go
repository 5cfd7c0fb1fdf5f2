package infertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Plugins are shared libraries for the tests of delegates that are loaded at run time.
type Plugins struct {
	Good    string // plugin/plugin.c
	Empty   string // no entry points
	Foreign string // Good, for another machine
	Missing string // no such file
}

// BuildPlugins compiles them. A test is skipped where there is no C compiler.
func BuildPlugins(t *testing.T) Plugins {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("there is no C compiler to build a delegate with")
	}
	root := moduleRoot(t)
	dir := t.TempDir()
	p := Plugins{Good: filepath.Join(dir, "libgood.so"), Empty: filepath.Join(dir, "libempty.so"),
		Foreign: filepath.Join(dir, "libforeign.so"), Missing: filepath.Join(dir, "libmissing.so")}
	compile := func(out, source string) {
		t.Helper()
		cmd := exec.Command(cc, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-I"+filepath.Join(root, "native", "include"), "-o", out, source)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cc: %v\n%s", err, text)
		}
	}
	compile(p.Good, filepath.Join(root, "infer", "infertest", "plugin", "plugin.c"))
	empty := filepath.Join(dir, "empty.c")
	write(t, empty, []byte("int nothing_of_interest;\n"))
	compile(p.Empty, empty)
	b, err := os.ReadFile(p.Good)
	if err != nil {
		t.Fatal(err)
	}
	b[18], b[19] = 22, 0 // e_machine of the ELF header: s390x
	write(t, p.Foreign, b)
	return p
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}
