package train

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

func TestFindPlugin(t *testing.T) {
	if !hasXLA {
		t.Skip(errNoXLA)
	}
	root := t.TempDir()
	t.Chdir(root)
	for _, variable := range []string{PluginEnv, "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH"} {
		t.Setenv(variable, "")
	}
	if _, err := FindPlugin(BackendCUDA); !errors.Is(err, ErrBackend) || !strings.Contains(err.Error(), pluginCUDA) {
		t.Errorf("no plugin anywhere: error %v, want ErrBackend naming the file", err)
	}

	native := filepath.Join(root, "native", runtime.GOOS+"-"+runtime.GOARCH)
	below := filepath.Join(root, "some", "folder")
	for _, dir := range []string{native, below} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	touch := func(path string) string {
		t.Helper()
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	inTree := touch(filepath.Join(native, pluginCUDA))
	t.Chdir(below)
	if got, err := FindPlugin(BackendCUDA); err != nil || filepath.Base(got) != pluginCUDA || !strings.Contains(got, "native") {
		t.Errorf("in a source tree: %q, error %v, want %s", got, err, inTree)
	}

	// Without one beside the program or in a source tree: JAX's, of the newest CUDA, in the Python environment that is active.
	t.Chdir(t.TempDir())
	site := filepath.Join(root, "venv", "lib", "python3.12", "site-packages")
	for _, version := range []string{"xla_cuda12", "xla_cuda13"} {
		dir := filepath.Join(site, "jax_plugins", version)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		touch(filepath.Join(dir, pluginCUDA))
	}
	t.Setenv("PYTHONPATH", "")
	t.Setenv("CONDA_PREFIX", "")
	t.Setenv("VIRTUAL_ENV", filepath.Join(root, "venv"))
	jax := filepath.Join(site, "jax_plugins", "xla_cuda13", pluginCUDA)
	if got, err := FindPlugin(BackendCUDA); err != nil || got != jax {
		t.Errorf("in a Python environment: %q, error %v, want %s", got, err, jax)
	}
	t.Setenv("VIRTUAL_ENV", "")
	t.Setenv("PYTHONPATH", site)
	if got, err := FindPlugin(BackendCUDA); err != nil || got != jax {
		t.Errorf("on PYTHONPATH: %q, error %v, want %s", got, err, jax)
	}
	strange := t.TempDir()
	if err := os.MkdirAll(filepath.Join(strange, "jax_plugins", "xla_cuda13"), 0o755); err != nil {
		t.Fatal(err)
	}
	touch(filepath.Join(strange, "jax_plugins", "xla_cuda13", pluginCUDA))
	t.Chdir(strange)
	t.Setenv("PYTHONPATH", "."+string(filepath.ListSeparator)) // both are the working folder
	if got, err := FindPlugin(BackendCUDA); err == nil {
		t.Errorf("in the working folder: %q", got)
	}
	t.Setenv("PYTHONPATH", "")

	named := touch(filepath.Join(root, pluginCUDA))
	t.Setenv(PluginEnv, named)
	if got, err := FindPlugin(BackendCUDA); err != nil || got != named {
		t.Errorf("named by %s: %q, error %v", PluginEnv, got, err)
	}
	t.Setenv(PluginEnv, filepath.Join(root, "absent", pluginCUDA))
	if _, err := FindPlugin(BackendCUDA); !errors.Is(err, ErrBackend) {
		t.Errorf("%s names no file: error %v, want ErrBackend", PluginEnv, err)
	}
}

// The flags that make a GPU's step repeatable are added to those that are there, and do not go over them.
func TestXLAFlags(t *testing.T) {
	for _, c := range []struct{ before, want string }{
		{"", strings.Join(xlaFlags, " ")},
		{"--xla_dump_to=x --xla_gpu_autotune_level=4", "--xla_dump_to=x --xla_gpu_autotune_level=4 " + xlaFlags[0] + " " + xlaFlags[2]},
	} {
		t.Setenv("XLA_FLAGS", c.before)
		for range 2 { // the second time changes nothing
			if err := setXLAFlags(); err != nil || os.Getenv("XLA_FLAGS") != c.want {
				t.Errorf("after %q: %q, error %v, want %q", c.before, os.Getenv("XLA_FLAGS"), err, c.want)
			}
		}
	}
}

// Where there is no plugin, auto trains on the Go backend and says why; a file that is no plugin is an error, not a crash.
func TestAutoFallsBack(t *testing.T) {
	bad := filepath.Join(t.TempDir(), pluginCPU)
	if err := os.WriteFile(bad, []byte("not a library"), 0o755); err != nil {
		t.Fatal(err)
	}
	be, name, note, err := openBackend(Config{Backend: BackendAuto, Plugin: bad})
	if err != nil || name != BackendGo || !strings.Contains(note, "slower") {
		t.Fatalf("auto with a bad plugin: backend %q, note %q, error %v", name, note, err)
	}
	be.Finalize()
	if _, err := openPlugin(BackendXLA, filepath.Join(t.TempDir(), "a,b", pluginCPU), 0); !errors.Is(err, ErrBackend) || !strings.Contains(err.Error(), "comma") {
		t.Errorf("a path with a comma: error %v", err)
	}
	if _, _, _, err := openBackend(Config{Backend: BackendXLA, Plugin: bad}); !errors.Is(err, ErrBackend) {
		t.Errorf("xla with a bad plugin: error %v, want ErrBackend", err)
	}
}

// Products side by side, each large enough to ask for workers of its own, come to an end: two processors' worth of workers once waited for one
// another for ever.
func TestGoBackendProducts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	g := NewGraph(goBackend(t), "products")
	var sum *Node
	for i := range 8 {
		a := AddScalar(IotaFull(g, shapes.Make(dtypes.Float32, 460, 256)), float64(i))
		b := AddScalar(IotaFull(g, shapes.Make(dtypes.Float32, 256, 51)), float64(i))
		if y := ReduceAllSum(Dot(a, b).Product()); sum == nil {
			sum = y
		} else {
			sum = Add(sum, y)
		}
	}
	if err := g.Compile(sum); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		for _, out := range g.Run() {
			if v := tensors.ToScalar[float32](out); !finite(float64(v)) {
				t.Fatalf("%v", v)
			}
		}
	}
}
