package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"mnet-edge/sharedlib"
)

// The backends' names as Config takes them.
const (
	BackendAuto = "auto" // XLA on the CPU where its plugin is found and starts, else Go
	BackendXLA  = "xla"
	BackendCUDA = "cuda"
	BackendGo   = "go"
)

// The PJRT plugins' file names, as their makers ship them.
const (
	pluginCPU  = "pjrt_c_api_cpu_plugin.so"
	pluginCUDA = "xla_cuda_plugin.so"
)

// PluginEnv names the environment variable that, when set, is the path of the PJRT plugin to use: for CUDA if the file is called
// xla_cuda_plugin.so, else for the CPU.
const PluginEnv = "MNET_PJRT"

var errNoXLA = errors.New("this program was built without cgo, which XLA needs")

// FindPlugin returns the path of the PJRT plugin for backend (BackendXLA or BackendCUDA): what PluginEnv says, else
// where sharedlib.Find finds its file, or, of the one for CUDA, where JAX has it in the Python environment that is active. The
// error says where it looked, or that this program was built without what starts one.
func FindPlugin(backend string) (string, error) {
	if !hasXLA {
		return "", fmt.Errorf("train: %w: %w", errNoXLA, ErrBackend)
	}
	name := pluginCPU
	if backend == BackendCUDA {
		name = pluginCUDA
	}
	if path := os.Getenv(PluginEnv); path != "" && (backend == BackendXLA) == (filepath.Base(path) != pluginCUDA) {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("train: %s: %w: %w", PluginEnv, err, ErrBackend)
		}
		return filepath.Abs(path)
	}
	path, err := sharedlib.Find(name)
	if err == nil {
		return path, nil
	}
	if other := os.Getenv(PluginEnv); other != "" {
		err = fmt.Errorf("%w; %s names %s, which by its name is not for %s", err, PluginEnv, other, backend)
	}
	if backend != BackendCUDA {
		return "", fmt.Errorf("train: %w: %w", err, ErrBackend)
	}
	for _, dir := range jaxFolders() {
		path := filepath.Join(dir, name)
		if s, err := os.Stat(path); err == nil && s.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("train: %w, nor JAX's in an active Python environment: %w", err, ErrBackend)
}

// jaxFolders are the folders where JAX's packages for CUDA, jax-cuda13-pjrt and its like, put the plugin: jax_plugins/xla_cudaNN of the
// site-packages of the Python environment that VIRTUAL_ENV or CONDA_PREFIX names, and of PYTHONPATH. Newest CUDA first.
func jaxFolders() []string {
	var sites []string
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if prefix := os.Getenv(variable); prefix != "" {
			found, _ := filepath.Glob(filepath.Join(prefix, "lib", "python3*", "site-packages")) // fails on a malformed pattern only
			sites = append(sites, found...)
		}
	}
	sites = append(sites, filepath.SplitList(os.Getenv("PYTHONPATH"))...)
	sites = slices.DeleteFunc(sites, func(dir string) bool { return !filepath.IsAbs(dir) }) // the working folder may be a stranger's
	var dirs []string
	for _, site := range sites {
		found, _ := filepath.Glob(filepath.Join(site, "jax_plugins", "xla_cuda*"))
		slices.Reverse(found) // Glob sorts
		dirs = append(dirs, found...)
	}
	return dirs
}

// The backends' names as a run records what it used, those of Config but for XLA's, which say on what.
const (
	onCPU  = "xla:cpu"
	onCUDA = "xla:cuda"
)

// openBackend starts the backend that c asks for, with the devices that will share its batches. The note, if any, says why auto fell back.
func openBackend(c Config) (be compute.Backend, name, note string, err error) {
	switch c.Backend {
	case BackendGo:
		be, err = openGo()
		return be, BackendGo, "", err
	case BackendAuto:
		be, err = openPlugin(BackendXLA, c.Plugin, c.sharing(onCPU))
		if err == nil || c.Devices > 1 { // the Go backend has one
			return be, onCPU, "", err
		}
		note = fmt.Sprintf("training on the Go backend, which is much slower than XLA: %v", err)
		be, err = openGo()
		return be, BackendGo, note, err
	case BackendCUDA:
		be, err = openPlugin(BackendCUDA, c.Plugin, c.sharing(onCUDA))
		return be, onCUDA, "", err
	default:
		be, err = openPlugin(BackendXLA, c.Plugin, c.sharing(onCPU))
		return be, onCPU, "", err
	}
}

// xlaFlags make a step on a GPU the same program each time, bit for bit: XLA otherwise times several kernels for a product and takes the
// quickest, which is another one on another day.
var xlaFlags = []string{"--xla_gpu_exclude_nondeterministic_ops=true", "--xla_gpu_autotune_level=0", "--xla_gpu_enable_triton_gemm=false"}

// setXLAFlags adds xlaFlags to XLA_FLAGS, which the plugin reads when it is loaded, but for those that are there already.
func setXLAFlags() error {
	const variable = "XLA_FLAGS"
	flags := os.Getenv(variable)
	for _, f := range xlaFlags {
		if name, _, _ := strings.Cut(f, "="); !strings.Contains(flags, name) {
			flags = strings.TrimSpace(flags + " " + f)
		}
	}
	if err := os.Setenv(variable, flags); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// openGo starts the backend in Go. It runs operators one after the other, each on all processors: side by side, each of some large products can
// hold one of its workers' places and wait for another's for ever (gomlx/compute v0.1.2, workerspool.Saturate).
func openGo() (compute.Backend, error) {
	be, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("train: Go backend: %w: %w", err, ErrBackend)
	}
	return be, nil
}

// openPlugin starts XLA with the plugin at path, or the one FindPlugin finds, and makes sure of that many devices (0: one). On a CPU
// they are as many as one asks for, and share the processors.
func openPlugin(backend, path string, devices int) (compute.Backend, error) {
	var err error
	if path == "" {
		path, err = FindPlugin(backend)
	} else {
		path, err = filepath.Abs(path) // the loader takes a relative path for a plugin's name
	}
	if err == nil && strings.Contains(path, ",") {
		err = fmt.Errorf("train: %s: %w: GoMLX divides the path of a plugin at commas", path, ErrBackend)
	}
	if err != nil {
		return nil, err
	}
	options := map[string]any{}
	if backend == BackendXLA && devices > 1 {
		options["cpu_device_count"] = int64(devices)
	}
	if backend == BackendCUDA {
		options["preallocate"] = false // three quarters of the GPU's memory are not this program's to take: its nets need a few per cent
		if err := setXLAFlags(); err != nil {
			return nil, err
		}
	}
	be, err := openXLA(path, options)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w: %w", path, err, ErrBackend)
	}
	if has := be.NumDevices(); has < devices {
		be.Finalize()
		return nil, fmt.Errorf("train: %d devices wanted, %s has %d: %w", devices, path, has, ErrBackend)
	}
	return be, nil
}
