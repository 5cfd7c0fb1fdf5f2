package infer

import (
	"crypto/sha256"
	"errors"
	"fmt"
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
	Delegate string // "none", "xnnpack", "external=LIB"; "" lets the runtime choose its fastest
	Threads  int    // 1 to MaxThreads; 0 means 1
	Cache    string // folder in which XNNPACK keeps packed weights for the next time; "" is none

	// PassedOver, if not nil, is told by Open why a runtime that it would have preferred does not have the model.
	PassedOver func(r Runtime, reason error)
}

// CacheFile is the file in Options.Cache for a model on a runtime, whose folder is made if need be; "" without a cache.
// XNNPACK does not notice a file of another model's weights, so the name has the model's hash.
func (o Options) CacheFile(model []byte, runtime string) (string, error) {
	if o.Cache == "" {
		return "", nil
	}
	dir, err := filepath.Abs(o.Cache)
	if err != nil {
		return "", fmt.Errorf("infer: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("infer: %w", err)
	}
	return filepath.Join(dir, fmt.Sprintf("%x-%s.xnnpack", sha256.Sum256(model), runtime)), nil
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

// Placement says where the operators of an open session really run.
type Placement struct {
	Delegate       string `json:"delegate_actual"` // "none" when no node is delegated
	DelegatedNodes int    `json:"delegated_nodes"` // nodes of the model taken by the delegate
	TotalNodes     int    `json:"total_nodes"`
	Partitions     int    `json:"partitions"` // pieces the delegate runs; 1 is a model taken whole
}

// Runtime opens models. Implementations: the TFLite C library (infer/tflitec) and the reference interpreter.
// Every implementation passes infer/infertest.
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
