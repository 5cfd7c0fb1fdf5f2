//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// unable says why this binary cannot load a library: it can.
func unable() error { return nil }

// Handles are pointers to LiteRT's own objects.
type (
	environment   uintptr
	options       uintptr
	opaqueOptions uintptr
	model         uintptr
	compiledModel uintptr
	requirements  uintptr
	buffer        uintptr
	profiler      uintptr
)

// status is what nearly every function returns; 0 is success.
type status int32

// statuses are the texts of those that opening and running a model may give.
var statuses = map[status]string{
	1: "invalid argument", 2: "out of memory", 3: "runtime failure", 4: "missing input tensor", 5: "unsupported", 6: "not found",
	8: "wrong version", 500: "file error", 501: "not a flatbuffer", 502: "a library could not be loaded", 504: "compilation failed",
}

func (s status) Error() string {
	if text, ok := statuses[s]; ok {
		return text
	}
	return fmt.Sprintf("LiteRT status %d", int32(s))
}

// err is nil for success.
func (s status) err() error {
	if s == 0 {
		return nil
	}
	return s
}

// envOption is LiteRtEnvOption: a tag and a value of one of several types.
type envOption struct {
	tag   int32
	_     int32
	kind  int32
	_     int32
	value uint64 // an integer or a pointer
}

const (
	tagRuntimeLibraryDir    = 22
	tagRegisterAccelerators = 24
	tagMinLogSeverity       = 25

	kindInt    = 2
	kindString = 8

	acceleratorCPU = 1
	acceleratorGPU = 2

	severityError = 3
)

// rankedType is LiteRtRankedTensorType: an element type and a layout.
type rankedType struct {
	element    int32
	rank       uint32 // its bit 7 says that there are strides
	dimensions [8]int32
	_          [8]uint32 // the strides
}

const _ = -uint(unsafe.Sizeof(envOption{}) - 24) // fails to compile should the structs have another size than LiteRT's
const _ = -uint(unsafe.Sizeof(rankedType{}) - 72)

// Modes of locking a buffer.
const (
	lockRead  = 0
	lockWrite = 1
)

// library is the part of LiteRT's C API in use, as litert/c declares it.
type library struct {
	createEnvironment  func(n int32, options *envOption, env *environment) status
	destroyEnvironment func(environment)

	createModel  func(env environment, bytes unsafe.Pointer, size uintptr, m *model) status
	destroyModel func(model)

	createOptions       func(*options) status
	destroyOptions      func(options)
	setAccelerators     func(o options, set int32) status
	createOpaqueOptions func(identifier string, payload, destructor uintptr, o *opaqueOptions) status
	addOpaqueOptions    func(options, opaqueOptions) status

	createCompiledModel  func(env environment, m model, o options, c *compiledModel) status
	destroyCompiledModel func(compiledModel)
	isFullyAccelerated   func(c compiledModel, yes *bool) status
	inputRequirements    func(c compiledModel, signature, input uintptr, r *requirements) status
	outputRequirements   func(c compiledModel, signature, output uintptr, r *requirements) status
	run                  uintptr // through SyscallN, which allocates nothing

	createBuffer     func(env environment, t *rankedType, r requirements, b *buffer) status
	destroyBuffer    func(buffer)
	bufferPackedSize func(b buffer, size *uintptr) status
	lock             uintptr // as run: lock(b, *address, mode)
	unlock           uintptr // unlock(b)

	getProfiler   func(c compiledModel, p *profiler) status
	startProfiler func(profiler) status
	stopProfiler  func(profiler) status
	resetProfiler func(profiler) status
	numEvents     func(p profiler, n *int32) status
	events        func(p profiler, n int32, events *event) status

	strdup func(string) uintptr // libc's: LiteRT frees what it is given with a function that it is given
	free   uintptr
}

// load loads the library once a process; it is never unloaded, since threads of its own may still run in it.
var load = func() func(path string) (*library, error) {
	var mu sync.Mutex
	loaded := map[string]*library{}
	return func(path string) (*library, error) {
		mu.Lock()
		defer mu.Unlock()
		if l := loaded[path]; l != nil {
			return l, nil
		}
		l, err := dlopen(path)
		if err == nil {
			loaded[path] = l
		}
		return l, err
	}
}()

func dlopen(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	var l library
	for _, f := range []struct {
		name string
		fn   any // a pointer to a function, or to its address
	}{
		{"LiteRtCreateEnvironment", &l.createEnvironment},
		{"LiteRtDestroyEnvironment", &l.destroyEnvironment},
		{"LiteRtCreateModelFromBuffer", &l.createModel},
		{"LiteRtDestroyModel", &l.destroyModel},
		{"LiteRtCreateOptions", &l.createOptions},
		{"LiteRtDestroyOptions", &l.destroyOptions},
		{"LiteRtSetOptionsHardwareAccelerators", &l.setAccelerators},
		{"LiteRtCreateOpaqueOptions", &l.createOpaqueOptions},
		{"LiteRtAddOpaqueOptions", &l.addOpaqueOptions},
		{"LiteRtCreateCompiledModel", &l.createCompiledModel},
		{"LiteRtDestroyCompiledModel", &l.destroyCompiledModel},
		{"LiteRtCompiledModelIsFullyAccelerated", &l.isFullyAccelerated},
		{"LiteRtGetCompiledModelInputBufferRequirements", &l.inputRequirements},
		{"LiteRtGetCompiledModelOutputBufferRequirements", &l.outputRequirements},
		{"LiteRtRunCompiledModel", &l.run},
		{"LiteRtCreateManagedTensorBufferFromRequirements", &l.createBuffer},
		{"LiteRtDestroyTensorBuffer", &l.destroyBuffer},
		{"LiteRtGetTensorBufferPackedSize", &l.bufferPackedSize},
		{"LiteRtLockTensorBuffer", &l.lock},
		{"LiteRtUnlockTensorBuffer", &l.unlock},
		{"LiteRtCompiledModelGetProfiler", &l.getProfiler},
		{"LiteRtStartProfiler", &l.startProfiler},
		{"LiteRtStopProfiler", &l.stopProfiler},
		{"LiteRtResetProfiler", &l.resetProfiler},
		{"LiteRtGetNumProfilerEvents", &l.numEvents},
		{"LiteRtGetProfilerEvents", &l.events},
		{"strdup", &l.strdup}, // through the library, which depends on libc
		{"free", &l.free},
	} {
		address, err := purego.Dlsym(handle, f.name)
		if err != nil {
			return nil, err
		}
		if p, ok := f.fn.(*uintptr); ok {
			*p = address
		} else {
			purego.RegisterFunc(f.fn, address)
		}
	}
	return &l, nil
}
