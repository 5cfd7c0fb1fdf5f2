package pi

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// LiteRT's library for arm64 passes the tests of package infer/litert, the conformance suite among them, on a Raspberry Pi's
// processors. The archive's program cannot be asked: it tries LiteRT in a child process first, and this machine's system would
// start that without the emulator.
func TestLiteRT(t *testing.T) {
	if os.Getenv("MNET_PI") == "" {
		t.Skip("MNET_PI does not name the archive: make pi-test")
	}
	needEmulator(t)
	library, err := filepath.Abs("../native/linux-arm64/libLiteRt.so")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(library); err != nil {
		t.Skipf("no LiteRT for arm64: %v", err)
	}
	binary := filepath.Join(t.TempDir(), "litert.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "../infer/litert")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=1", "CC=aarch64-linux-gnu-gcc", "GOFLAGS=-buildvcs=false",
		"CGO_CFLAGS=-O2", "CGO_LDFLAGS=-O2")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, b := range boards {
		t.Run(b.cpu, func(t *testing.T) {
			command := append(b.emulated(t), binary, "-test.v", "-test.run", "CPU|Placement|Profile")
			test := exec.Command(command[0], command[1:]...)
			test.Dir = "../infer/litert"
			test.Env = append(os.Environ(), "MNET_LITERT="+library)
			out, err := test.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if passed := string(out); !strings.Contains(passed, "--- PASS: TestCPU/answers") || strings.Contains(passed, "--- SKIP") {
				t.Errorf("not all of it ran:\n%s", out)
			}
		})
	}
}
