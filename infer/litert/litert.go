package litert

import (
	"fmt"
	"os"
	"path/filepath"

	"mnet-edge/devices"
	"mnet-edge/infer"
	"mnet-edge/sharedlib"
)

// The delegates: LiteRT calls them accelerators.
const (
	CPU = "litert" // XNNPACK, as LiteRT was built with it
	GPU = "gpu"    // WebGPU; takes a model whole or not at all
)

// The files, as the package of native/fetch.sh has them. LiteRT finds the second by its name beside the first.
const (
	runtimeFile = "libLiteRt.so"
	gpuFile     = "libLiteRtWebGpuAccelerator.so"
)

// Version is the LiteRT whose functions and structs library.go declares. The library itself does not tell.
const Version = "2.3.0"

type runtime struct{}

// New returns the runtime with the libraries that PathEnv names or sharedlib.Find finds, if any.
func New() infer.Runtime { return runtime{} }

func (runtime) Name() string { return CPU }

func (runtime) Version() string { return Version }

// Devices looks for the libraries but loads none. Whether there is an adapter for the GPU accelerator, only Open tells.
func (runtime) Devices() []devices.Device {
	ds := []devices.Device{{Name: CPU, Kind: devices.CPU}, {Name: GPU, Kind: devices.GPU}}
	for i := range ds {
		if _, err := find(ds[i].Name); err != nil {
			ds[i].Reason = err.Error()
		} else {
			ds[i].Available, ds[i].Version = true, "LiteRT "+Version
		}
	}
	return ds
}

// PathEnv names the environment variable that, when set, is the path of libLiteRt.so.
const PathEnv = "MNET_LITERT"

// find returns the path of libLiteRt.so, all that the delegate needs being there.
func find(delegate string) (path string, err error) {
	if err := unable(); err != nil {
		return "", err
	}
	if path = os.Getenv(PathEnv); path == "" {
		path, err = sharedlib.Find(runtimeFile)
	} else {
		path, err = filepath.Abs(path) // the loader would look for a bare name elsewhere
	}
	if err == nil {
		err = sharedlib.Check(path, "LiteRtCreateCompiledModel")
	}
	if err == nil && delegate == GPU {
		err = sharedlib.Check(filepath.Join(filepath.Dir(path), gpuFile), "LiteRtAcceleratorImpl")
	}
	return path, err
}

// Open takes the delegates "litert" and "gpu". "" is the CPU.
func (runtime) Open(bytes []byte, opts infer.Options) (infer.Session, error) {
	bytes = withoutSignatures(bytes)
	g, origins, err := infer.DecodeOrigins(bytes)
	if err != nil {
		return nil, err
	}
	if opts.Threads, err = opts.ThreadCount(); err != nil {
		return nil, err
	}
	switch opts.Delegate {
	case "":
		opts.Delegate = CPU
	case CPU, GPU:
	default:
		return nil, fmt.Errorf("litert: delegate %q: %w: this runtime has %q and %q", opts.Delegate, infer.ErrUnavailable, CPU, GPU)
	}
	if g.Inputs[0].Name == "" || g.Outputs[0].Name == "" { // LiteRT 2.3 ends the process over it
		return nil, fmt.Errorf("litert: %w: its input or output has no name", infer.ErrUnavailable)
	}
	path, err := find(opts.Delegate)
	if err != nil {
		return nil, fmt.Errorf("litert: delegate %s: %w: %w", opts.Delegate, infer.ErrUnavailable, err)
	}
	return open(path, bytes, g, origins, opts)
}
