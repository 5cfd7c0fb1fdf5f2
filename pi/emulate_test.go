package pi

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What emulation needs, Debian has in qemu-user-static and, for the C library, g++-aarch64-linux-gnu.
const (
	emulator = "qemu-aarch64-static"
	libc     = "/usr/aarch64-linux-gnu"
)

// board is a Raspberry Pi: its processor as qemu calls it, and the tree of its /proc and /sys that package devices recorded.
type board struct{ cpu, tree, model string }

// The two have other kernels: only the 5 has the dot-product instructions.
var boards = []board{
	{"cortex-a72", "pi4", "Raspberry Pi 4 Model B Rev 1.4"},
	{"cortex-a76", "pi5", "Raspberry Pi 5 Model B Rev 1.0"},
}

// needEmulator skips without an emulator, but in make pi-test, which is for nothing else.
func needEmulator(t *testing.T) {
	t.Helper()
	lack := t.Skip
	if os.Getenv("MNET_PI") != "" {
		lack = t.Fatal
	}
	if _, err := exec.LookPath(emulator); err != nil {
		lack(emulator + " is not installed (Debian: qemu-user-static)")
	}
	if _, err := os.Stat(filepath.Join(libc, "lib/libstdc++.so.6")); err != nil {
		lack("the C++ library for arm64 is not installed (Debian: g++-aarch64-linux-gnu)")
	}
}

// emulated is the command that runs a program as on the board. qemu looks for files below a folder first: there are the C
// library, and the board's own /proc and /sys over this machine's. Without them cpuinfo, a library in XNNPACK and LiteRT,
// reads of an x86 processor; XNNPACK then lacks the kernels that it has for just these cores, and LiteRT follows a null pointer.
func (b board) emulated(t *testing.T) []string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join("../devices/testdata", b.tree))); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(libc)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(libc, e.Name()), filepath.Join(root, e.Name())); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	return []string{emulator, "-L", root, "-cpu", b.cpu}
}
