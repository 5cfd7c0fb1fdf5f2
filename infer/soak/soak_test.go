package soak

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/infer/litert"
	"mnet-edge/infer/native"
	"mnet-edge/quant"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		serveModels(os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// full is whether everything runs, or a small part of it.
var full = os.Getenv("MNET_SOAK") != ""

// amount is how many cases to run.
func amount(short, long int) int {
	if full {
		return long
	}
	return short
}

// engine is a runtime with one of its delegates.
type engine struct {
	runtime  infer.Runtime
	delegate string
}

func (e engine) String() string { return e.runtime.Name() + "-" + e.delegate }

func (e engine) open(model []byte) (infer.Session, error) {
	return e.runtime.Open(model, infer.Options{Delegate: e.delegate, Threads: 1})
}

// engines are all that are at hand: TFLite if the tests are linked with it, LiteRT if its library is found.
var engines = sync.OnceValue(func() []engine {
	es := tfliteEngines()
	for _, d := range litert.New().Devices() {
		if d.Name == litert.CPU && d.Available {
			es = append(es, engine{litert.New(), litert.CPU})
		}
	}
	return append(es, engine{native.New(native.Options{}), native.Name}, engine{infer.NewReference(quant.Double), infer.ReferenceName})
})

// vector reads one of the models whose answers are TFLite's own.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../graph/interp/testdata/vectors", name, "model.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fill makes an input of a tensor: every byte a different one for integers, small numbers for floats.
func fill(in []byte, t graph.Type, salt int) {
	for i := range in {
		in[i] = byte(i*7 + salt*13)
		if t.DType == graph.Float32 && i%4 >= 2 {
			in[i] = [2]byte{byte(salt), 0x3e}[i%4-2] // between 0.125 and 0.25
		}
	}
}

// answer runs one input through a session.
func answer(s infer.Session, salt int) ([]byte, error) {
	in, out := make([]byte, s.Input().Type.Bytes()), make([]byte, s.Output().Type.Bytes())
	fill(in, s.Input().Type, salt)
	return out, infer.Call(s, in, out)
}

// needProc skips where there is no /proc to read memory from.
func needProc(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
}

// statusMB is a field of /proc/PID/status in MB: VmHWM is the most memory the process ever had.
func statusMB(t *testing.T, pid, field string) float64 {
	t.Helper()
	b, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return float64(kb) / 1000
		}
	}
	t.Fatalf("no %s in /proc/%s/status", field, pid)
	return 0
}

// ownMemory is the resident memory of this process that is no file's, in MB, Go's garbage given back.
func ownMemory(t *testing.T) float64 {
	t.Helper()
	debug.FreeOSMemory()
	return statusMB(t, "self", "RssAnon")
}

// openFiles counts this process's file descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
