package infer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mnet-edge/devices"
	"mnet-edge/graph"
)

// ErrUnavailable marks a runtime or delegate that this host or binary cannot offer; the wrapping error says why.
var ErrUnavailable = errors.New("not available")

// ErrModel marks a model that a runtime refuses; the wrapping error names the tensor or the op.
var ErrModel = errors.New("model refused")

// Options choose how a Session runs.
type Options struct {
	Delegate string // one of Runtime.Devices, or "external=LIB"; "" lets the runtime choose its fastest
	Threads  int    // 1 to MaxThreads; 0 means 1
	Cache    string // folder in which XNNPACK keeps packed weights for the next time; "" is none

	// Trying, if not nil, is told by Open which runtime is about to open the model. Its libraries are loaded by then.
	Trying func(r Runtime)

	// PassedOver, if not nil, is told by Open why a runtime, or a delegate of one, that it would have preferred does not have the model.
	PassedOver func(r Runtime, reason error)
}

// CacheFile is a file in which XNNPACK keeps the packed weights of one model on one runtime.
type CacheFile struct {
	Path string // what XNNPACK is given; "": there is no cache

	whole string // what a finished file is called
}

// CacheFile is the file in Options.Cache for a model on a runtime, whose folder is made if need be. XNNPACK does not notice a file of another
// model's weights, so the name has the model's hash. It writes a file in place, where other processes would read what is not finished: one that
// is not there yet has a name of this session's own until Settle.
func (o Options) CacheFile(model []byte, runtime string) (CacheFile, error) {
	if o.Cache == "" {
		return CacheFile{}, nil
	}
	dir, err := filepath.Abs(o.Cache)
	if err != nil {
		return CacheFile{}, fmt.Errorf("infer: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return CacheFile{}, fmt.Errorf("infer: %w", err)
	}
	whole := filepath.Join(dir, fmt.Sprintf("%x-%s.xnnpack", sha256.Sum256(model), runtime))
	if _, err := os.Stat(whole); err == nil {
		return CacheFile{whole, whole}, nil
	}
	own, err := os.CreateTemp(dir, filepath.Base(whole)+".*.part")
	if err != nil {
		return CacheFile{}, fmt.Errorf("infer: %w", err)
	}
	path := own.Name()
	if err := errors.Join(own.Close(), os.Remove(path)); err != nil { // the name is what was wanted: XNNPACK makes the file
		return CacheFile{}, fmt.Errorf("infer: %w", err)
	}
	return CacheFile{path, whole}, nil
}

// Settle is called once the session is open, or will not be. A file that was made gets its name, or goes; who has it open keeps it.
func (f *CacheFile) Settle(opened bool) error {
	switch {
	case f.Path == f.whole:
		return nil
	case !opened:
		os.Remove(f.Path)
		return nil
	}
	err := os.Rename(f.Path, f.whole)
	if f.Path = f.whole; errors.Is(err, fs.ErrNotExist) { // XNNPACK had nothing to keep
		return nil
	}
	if err != nil {
		return fmt.Errorf("infer: %w", err)
	}
	return nil
}

// MaxThreads bounds Options.Threads, more than any machine has.
const MaxThreads = 1024

// ThreadCount is Threads, or 1 for 0.
func (o Options) ThreadCount() (int, error) {
	if o.Threads < 0 || o.Threads > MaxThreads {
		return 0, fmt.Errorf("infer: %d threads: want 1 to %d", o.Threads, MaxThreads)
	}
	return max(o.Threads, 1), nil
}

// Tensor describes a model's input or output: what the bytes given to Session.Write and taken from Session.Read are.
type Tensor struct {
	Name string
	Type graph.Type // shape (N, H, W, C) for an image
}

// NoDelegate is the delegate of what a runtime's own kernels run.
const NoDelegate = "none"

// Placement says where the operators of an open session really run.
type Placement struct {
	Delegate       string `json:"delegate_actual"` // NoDelegate when it took no node
	DelegatedNodes int    `json:"delegated_nodes"` // nodes of the model taken by the delegate
	TotalNodes     int    `json:"total_nodes"`
	Partitions     int    `json:"partitions"` // pieces the delegate runs; 1 is a model taken whole
}

// Runtime opens models. The package comment lists those there are.
type Runtime interface {
	// Name is the runtime's short name as --delegate and reports use it: "tflite", "reference".
	Name() string
	// Version is the version of what computes, as far as it says.
	Version() string
	// Devices is what Options.Delegate may name, the runtime's own choice first.
	Devices() []devices.Device
	// Open loads a .tflite model with one input and one output. Errors wrap ErrModel or ErrUnavailable.
	Open(model []byte, opts Options) (Session, error)
}

// Session is a model ready to run. It is not safe for concurrent use.
//
// The bytes of Write and Read are the tensor's elements in row-major order, little-endian. Write, Invoke and Read
// are apart so that Invoke alone is timed.
type Session interface {
	Input() Tensor
	Output() Tensor
	Placement() Placement
	Write(in []byte) error // len(in) must be the input's byte size
	Invoke() error
	Read(out []byte) error // len(out) must be the output's byte size
	Close() error
}

// Threaded is a Session that may use fewer threads than it was opened with, and says how many.
type Threaded interface {
	Threads() int
}

// Call is Write, Invoke and Read.
func Call(s Session, in, out []byte) error {
	if err := s.Write(in); err != nil {
		return err
	}
	if err := s.Invoke(); err != nil {
		return err
	}
	return s.Read(out)
}
