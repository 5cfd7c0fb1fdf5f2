package train

import (
	"fmt"
	"os"
	"path/filepath"

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

// PluginEnv names the environment variable that, when set, is the path of the PJRT plugin to use.
const PluginEnv = "MNET_PJRT"

// FindPlugin returns the path of the PJRT plugin for backend (BackendXLA or BackendCUDA): what PluginEnv says, else
// where sharedlib.Find finds its file. The error says where it looked.
func FindPlugin(backend string) (string, error) {
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
	if err != nil {
		return "", fmt.Errorf("train: %w: %w", err, ErrBackend)
	}
	return path, nil
}

// checkPlugin reports that the plugin c insists on is not there.
func checkPlugin(c Config) error {
	if c.Plugin != "" || c.Backend != BackendXLA && c.Backend != BackendCUDA {
		return nil
	}
	_, err := FindPlugin(c.Backend)
	return err
}

// openBackend starts the backend that c asks for. The note, if any, says why auto fell back.
func openBackend(c Config) (be compute.Backend, name, note string, err error) {
	switch c.Backend {
	case BackendGo:
		be, err = openGo()
		return be, BackendGo, "", err
	case BackendAuto:
		be, err = openPlugin(BackendXLA, c.Plugin)
		if err == nil {
			return be, "xla:cpu", "", nil
		}
		note = fmt.Sprintf("training on the Go backend, which is much slower than XLA: %v", err)
		be, err = openGo()
		return be, BackendGo, note, err
	case BackendCUDA:
		be, err = openPlugin(BackendCUDA, c.Plugin)
		return be, "xla:cuda", "", err
	default:
		be, err = openPlugin(BackendXLA, c.Plugin)
		return be, "xla:cpu", "", err
	}
}

func openGo() (compute.Backend, error) {
	be, err := gobackend.New("")
	if err != nil {
		return nil, fmt.Errorf("train: Go backend: %w: %w", err, ErrBackend)
	}
	return be, nil
}

// openPlugin starts XLA with the plugin at path, or the one FindPlugin finds.
func openPlugin(backend, path string) (compute.Backend, error) {
	var err error
	if path == "" {
		path, err = FindPlugin(backend)
	} else {
		path, err = filepath.Abs(path) // the loader takes a relative path for a plugin's name
	}
	if err != nil {
		return nil, err
	}
	be, err := openXLA(path)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w: %w", path, err, ErrBackend)
	}
	return be, nil
}
