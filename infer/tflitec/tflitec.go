//go:build tflite && cgo

package tflitec

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/tphakala/go-tflite"
	"github.com/tphakala/go-tflite/delegates"

	"mnet-edge/devices"
	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/lint"
)

// XNNPACK is the delegate that the library has built in; it takes float32, int8 and uint8. Those of plugin.go are loaded when asked for.
const XNNPACK = "xnnpack"

type tfliteRuntime struct{}

// New returns the runtime, with the library beside the program or in native/, if any.
func New() infer.Runtime { return tfliteRuntime{} }

func (tfliteRuntime) Name() string { return "tflite" }

// Version is the library's; "" without one.
func (tfliteRuntime) Version() string {
	if load() != nil {
		return ""
	}
	return version()
}

// Devices is XNNPACK and the built-in kernels, which the library has, and the delegates that are libraries of their own.
func (r tfliteRuntime) Devices() []devices.Device {
	if err := load(); err != nil {
		ds := []devices.Device{{Name: XNNPACK, Kind: devices.CPU}, {Name: infer.NoDelegate, Kind: devices.CPU}, {Name: External, Kind: devices.Any}}
		for _, k := range known {
			ds = append(ds, devices.Device{Name: k.name, Kind: k.kind})
		}
		for i := range ds {
			ds[i].Reason = err.Error()
		}
		return ds
	}
	return append([]devices.Device{
		{Name: XNNPACK, Kind: devices.CPU, Available: true, Version: "tflite " + version()},
		{Name: infer.NoDelegate, Kind: devices.CPU, Available: true, Version: "tflite " + version() + " built-in kernels"},
	}, libraryDevices()...)
}

// Open takes XNNPACK, infer.NoDelegate and the delegates of plugin.go. "" is XNNPACK, or the built-in kernels where it cannot
// be created.
func (r tfliteRuntime) Open(bytes []byte, opts infer.Options) (infer.Session, error) {
	g, err := infer.Decode(bytes)
	if err != nil {
		return nil, err
	}
	if opts.Threads, err = opts.ThreadCount(); err != nil {
		return nil, err
	}
	s, _, err := r.open(bytes, g, opts, nil)
	return s, err
}

// open opens the model with the delegate asked for, or of its own choice, and says with which.
func (r tfliteRuntime) open(bytes []byte, g *graph.Graph, opts infer.Options, w *watcher) (s infer.Session, delegate string, err error) {
	if err := load(); err != nil {
		return nil, "", fmt.Errorf("tflite: %w: %w", infer.ErrUnavailable, err)
	}
	if opts.Delegate != "" {
		s, err = newSession(bytes, g, opts, w)
		return s, opts.Delegate, err
	}
	opts.Delegate = XNNPACK
	if s, err = newSession(bytes, g, opts, w); !errors.Is(err, infer.ErrUnavailable) {
		return s, opts.Delegate, err
	}
	if opts.PassedOver != nil {
		opts.PassedOver(r, err)
	}
	opts.Delegate = infer.NoDelegate
	s, err = newSession(bytes, g, opts, w)
	return s, opts.Delegate, err
}

// session holds the C objects; nil fields are not made yet, or closed.
type session struct {
	messages    messages
	model       *model
	options     *tflite.InterpreterOptions
	delegate    *observer
	interpreter *tflite.Interpreter
	in, out     tensor
	placement   infer.Placement
}

// newSession opens the model with the library that is loaded, watched by w unless that is nil.
func newSession(bytes []byte, g *graph.Graph, opts infer.Options, w *watcher) (_ infer.Session, err error) {
	s := &session{messages: newMessages()}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.model, err = newModel(bytes, s.messages); err != nil {
		return nil, fmt.Errorf("tflite: %w: %w", infer.ErrModel, err)
	}
	if s.options = tflite.NewInterpreterOptions(); s.options == nil {
		return nil, errors.New("tflite: no memory for the interpreter's options")
	}
	reportTo(s.options, s.messages)
	s.options.SetNumThread(opts.Threads)
	w.attach(s.options)
	if _, reason := lint.Fatal(g); reason != "" && opts.Delegate == XNNPACK {
		return nil, fmt.Errorf("tflite: xnnpack: %w: %s, which XNNPACK does not survive", infer.ErrUnavailable, reason)
	}
	if opts.Delegate != XNNPACK {
		opts.Cache = ""
	}
	cache, err := opts.CacheFile(bytes, "tflite-"+version())
	if err != nil {
		return nil, err
	}
	defer func() {
		if settled := cache.Settle(err == nil); err == nil {
			err = settled
		}
	}()
	if s.delegate, err = newDelegate(opts, cache.Path); err != nil {
		return nil, err
	}
	s.options.AddDelegate(s.delegate)
	if s.interpreter = tflite.NewInterpreter(s.model.Model, s.options); s.interpreter == nil {
		// Without a delegate it is the model that the library refuses; with one, who knows.
		refusal := infer.ErrUnavailable
		if opts.Delegate == infer.NoDelegate {
			refusal = infer.ErrModel
		}
		return nil, fmt.Errorf("tflite: delegate %s: %w: %w", opts.Delegate, refusal, s.messages.take("create interpreter"))
	}
	if s.interpreter.AllocateTensors() != tflite.OK {
		refusal := infer.ErrModel
		if opts.Delegate != infer.NoDelegate && opts.Delegate != XNNPACK { // a delegate from elsewhere may be at fault
			refusal = infer.ErrUnavailable
		}
		return nil, fmt.Errorf("tflite: delegate %s: %w: %w", opts.Delegate, refusal, s.messages.take("allocate tensors"))
	}
	if n, m := s.interpreter.GetInputTensorCount(), s.interpreter.GetOutputTensorCount(); n != 1 || m != 1 {
		return nil, fmt.Errorf("tflite: %w: %d inputs, %d outputs", infer.ErrModel, n, m)
	}
	if s.in, err = newTensor(s.interpreter.GetInputTensor, g.Inputs[0]); err != nil {
		return nil, fmt.Errorf("tflite: input: %w", err)
	}
	if s.out, err = newTensor(s.interpreter.GetOutputTensor, g.Outputs[0]); err != nil {
		return nil, fmt.Errorf("tflite: output: %w", err)
	}
	s.placement = placement(opts.Delegate, s.delegate)
	return s, nil
}

// newDelegate makes the delegate that the options name, observed. XNNPACK keeps packed weights in the file cache, unless that is "".
func newDelegate(opts infer.Options, cache string) (*observer, error) {
	fail := func(err error) (*observer, error) {
		return nil, fmt.Errorf("tflite: delegate %s: %w: %w", opts.Delegate, infer.ErrUnavailable, err)
	}
	var inner delegates.Delegater
	switch lib, found, err := findLibrary(opts.Delegate); {
	case err != nil:
		return fail(err)
	case found:
		if inner, err = lib.open(); err != nil {
			return fail(err)
		}
	case opts.Delegate == XNNPACK:
		if inner = newXNNPACK(opts.Threads, cache); inner == nil {
			return fail(errors.New("the library could not create it"))
		}
	case opts.Delegate != infer.NoDelegate:
		return fail(errors.New("this runtime has no such one"))
	}
	o, err := observe(inner)
	if err != nil {
		return fail(err)
	}
	return o, nil
}

func placement(delegate string, o *observer) infer.Placement {
	total, delegated, partitions := o.counts()
	p := infer.Placement{Delegate: delegate, DelegatedNodes: delegated, TotalNodes: total, Partitions: partitions}
	if delegated == 0 {
		p.Delegate = infer.NoDelegate
	}
	return p
}

func (s *session) Input() infer.Tensor        { return s.in.Tensor }
func (s *session) Output() infer.Tensor       { return s.out.Tensor }
func (s *session) Placement() infer.Placement { return s.placement }

var errClosed = errors.New("tflite: the session is closed")

func (s *session) Write(in []byte) error {
	if s.interpreter == nil {
		return errClosed
	}
	data, err := s.in.data(len(in))
	copy(data, in)
	return err
}

func (s *session) Invoke() error {
	if s.interpreter == nil {
		return errClosed
	}
	if s.interpreter.Invoke() != tflite.OK {
		return fmt.Errorf("tflite: %w", s.messages.take("invoke"))
	}
	return nil
}

func (s *session) Read(out []byte) error {
	if s.interpreter == nil {
		return errClosed
	}
	data, err := s.out.data(len(out))
	copy(out, data)
	return err
}

// Close frees everything, users before what they use.
func (s *session) Close() error {
	if s.interpreter != nil {
		s.interpreter.Delete()
	}
	if s.delegate != nil {
		s.delegate.Delete()
	}
	if s.options != nil {
		s.options.Delete()
	}
	if s.model != nil {
		s.model.free()
	}
	if s.messages.log != nil {
		s.messages.free()
	}
	*s = session{in: tensor{Tensor: s.in.Tensor}, out: tensor{Tensor: s.out.Tensor}, placement: s.placement}
	return nil
}

// tensor is an input or output whose type agrees with the model file's. It is fetched anew for each use: Invoke may move
// the runtime's tensors, after which an old *tflite.Tensor points to freed memory.
type tensor struct {
	infer.Tensor
	get func(int) *tflite.Tensor
}

var dtypes = map[tflite.TensorType]graph.DType{
	tflite.Float32: graph.Float32,
	tflite.Int8:    graph.Int8,
	tflite.UInt8:   graph.UInt8,
	tflite.Int16:   graph.Int16,
	tflite.Int32:   graph.Int32,
	tflite.Int64:   graph.Int64,
}

func newTensor(get func(int) *tflite.Tensor, v *graph.Value) (tensor, error) {
	t, want := get(0), v.Type
	if t == nil {
		return tensor{}, fmt.Errorf("%w: %q does not exist", infer.ErrModel, v.Name)
	}
	if d, shape := dtypes[t.Type()], t.Shape(); d != want.DType || !slices.Equal(shape, want.Shape) || t.ByteSize() != uint(want.Bytes()) {
		return tensor{}, fmt.Errorf("%w: %q: the runtime has %v%v of %d bytes, the file %v%v of %d", infer.ErrModel, v.Name,
			d, shape, t.ByteSize(), want.DType, want.Shape, want.Bytes())
	}
	return tensor{infer.TensorOf(v), get}, nil
}

// data is the tensor's n bytes, in C memory that stays until the next Invoke.
func (t tensor) data(n int) ([]byte, error) {
	if err := t.CheckSize(n); err != nil {
		return nil, err
	}
	c := t.get(0)
	if c == nil || c.Data() == nil || c.ByteSize() != uint(n) {
		return nil, fmt.Errorf("tflite: %q has no data", t.Name)
	}
	return unsafe.Slice((*byte)(c.Data()), n), nil
}
