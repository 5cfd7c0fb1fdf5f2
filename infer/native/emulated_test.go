package native_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The kernels for arm64 do what this machine's do: the tests of this package, built for arm64, under qemu as the
// processors of a Raspberry Pi 4 (family neon) and 5 (dotprod). Operators of random shapes and one whole network, in
// XNNPACK's arithmetic; with MNET_EMULATED=N every test, and N shapes of each operator (make native-arm64).
func TestEmulated(t *testing.T) {
	const emulator = "qemu-aarch64-static"
	if runtime.GOARCH == "arm64" {
		t.Skip("this is arm64")
	}
	whole := os.Getenv("MNET_EMULATED")
	if _, err := exec.LookPath(emulator); err != nil {
		lack := t.Skip
		if whole != "" {
			lack = t.Fatal
		}
		lack(emulator + " is not installed (Debian: qemu-user-static)")
	}
	args := []string{"-test.run", "RandomOperators|Vectors/small/float32/(neon|dotprod)", "-rapid.checks", "4", "-test.v"}
	if whole != "" {
		args = []string{"-test.skip", "Emulated", "-rapid.checks", whole, "-test.timeout", "4h", "-test.v"}
	}
	binary := filepath.Join(t.TempDir(), "native.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for cpu, family := range map[string]string{"cortex-a72": "neon", "cortex-a76": "dotprod"} {
		t.Run(cpu, func(t *testing.T) {
			t.Parallel()
			test := exec.Command(emulator, append([]string{"-cpu", cpu, binary}, args...)...)
			out, err := test.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !strings.Contains(string(out), "/float32/"+family) {
				t.Errorf("the family %s did not run\n%s", family, out)
			}
		})
	}
}
