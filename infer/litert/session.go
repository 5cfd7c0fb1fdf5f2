//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"errors"
	"fmt"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	"mnet-edge/graph"
	"mnet-edge/infer"
)

// session holds LiteRT's objects; those that are 0 are not made yet, or destroyed.
type session struct {
	lib       *library
	delegate  string
	threads   int
	cache     string           // file for XNNPACK's packed weights, or ""
	pinned    goruntime.Pinner // the model's bytes and this session, which LiteRT reads where they lie
	runArgs   [6]uintptr       // of run, made once: arguments in a call of SyscallN are allocated
	env       environment
	model     model
	options   options
	compiled  compiledModel
	in, out   tensor
	placement infer.Placement
	adapter   string
}

// tensor is an input or output with the buffer that LiteRT reads or writes.
type tensor struct {
	infer.Tensor
	buffer   buffer
	address  unsafe.Pointer // where lock puts the address of the buffer's bytes
	lockArgs [3]uintptr     // of lock; unlock takes the first
}

func open(path string, bytes []byte, g *graph.Graph, origins []int, opts infer.Options) (infer.Session, error) {
	lib, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("litert: %w: %w", infer.ErrUnavailable, err)
	}
	cache, err := opts.CacheFile(bytes, "litert-"+Version)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(cache.Path, "\"\n") { // LiteRT's options have no way to write these
		return nil, fmt.Errorf("litert: the name of the folder %q has a quote or a line break in it", opts.Cache)
	}
	s := &session{lib: lib, delegate: opts.Delegate, threads: opts.Threads, cache: cache.Path}
	s.in.Tensor = infer.Tensor{Name: g.Inputs[0].Name, Type: g.Inputs[0].Type}
	s.out.Tensor = infer.Tensor{Name: g.Outputs[0].Name, Type: g.Outputs[0].Type}
	log := captured(func() { err = s.init(filepath.Dir(path), bytes, origins) })
	if settled := cache.Settle(err == nil); err == nil {
		err = settled
	}
	s.cache = cache.Path
	if err != nil {
		s.Close()
		// The model is one that this program reads, so that another runtime may take it.
		if why := reason(log); why != "" {
			return nil, fmt.Errorf("litert: delegate %s: %w: %w: %s", opts.Delegate, infer.ErrUnavailable, err, why)
		}
		return nil, fmt.Errorf("litert: delegate %s: %w: %w", opts.Delegate, infer.ErrUnavailable, err)
	}
	s.adapter = adapterIn(log)
	return s, nil
}

func (s *session) init(dir string, bytes []byte, origins []int) (err error) {
	if err := s.createEnvironment(dir); err != nil {
		return fmt.Errorf("create environment: %w", err)
	}
	s.pinned.Pin(&bytes[0])
	if err := s.lib.createModel(s.env, unsafe.Pointer(&bytes[0]), uintptr(len(bytes)), &s.model).err(); err != nil {
		return fmt.Errorf("load model: %w", err)
	}
	if err := s.compile(s.threads, ""); err != nil {
		return err
	}
	if err := s.createBuffers(); err != nil {
		return err
	}
	if s.placement, err = s.count(origins); err != nil {
		return fmt.Errorf("count nodes: %w", err)
	}
	return nil
}

// createEnvironment registers the one accelerator and lets LiteRT log errors only.
func (s *session) createEnvironment(dir string) error {
	folder := append([]byte(dir), 0)
	var pin goruntime.Pinner
	defer pin.Unpin()
	pin.Pin(&folder[0])
	opts := []envOption{
		{tag: tagRuntimeLibraryDir, kind: kindString, value: uint64(uintptr(unsafe.Pointer(&folder[0])))},
		{tag: tagRegisterAccelerators, kind: kindInt, value: uint64(s.accelerator())},
		{tag: tagMinLogSeverity, kind: kindInt, value: severityError},
	}
	return s.lib.createEnvironment(int32(len(opts)), &opts[0], &s.env).err()
}

func (s *session) accelerator() int32 {
	if s.delegate == GPU {
		return acceleratorGPU
	}
	return acceleratorCPU
}

// compile makes the compiled model. LiteRT takes the options of an accelerator as lines of TOML under its identifier.
// float32 is what a GPU computes in, too: left to itself, one that can would take float16.
func (s *session) compile(threads int, runtimeOptions string) error {
	if err := s.lib.createOptions(&s.options).err(); err != nil {
		return fmt.Errorf("create options: %w", err)
	}
	if err := s.lib.setAccelerators(s.options, s.accelerator()).err(); err != nil {
		return fmt.Errorf("set accelerator: %w", err)
	}
	const float32Precision = 2
	cpu := fmt.Sprintf("num_threads = %d\n", threads)
	if s.cache != "" {
		cpu += fmt.Sprintf("weight_cache_file_path = \"%s\"\n", s.cache)
	}
	for _, o := range []struct{ identifier, toml string }{
		{"xnnpack", cpu},
		{"gpu_options", fmt.Sprintf("precision = %d\n", float32Precision)},
		{"runtime_options_string", runtimeOptions},
	} {
		if o.toml == "" {
			continue
		}
		var opaque opaqueOptions
		if err := s.lib.createOpaqueOptions(o.identifier, s.lib.strdup(o.toml), s.lib.free, &opaque).err(); err != nil {
			return fmt.Errorf("set %s: %w", o.identifier, err)
		}
		if err := s.lib.addOpaqueOptions(s.options, opaque).err(); err != nil {
			return fmt.Errorf("set %s: %w", o.identifier, err)
		}
	}
	if err := s.lib.createCompiledModel(s.env, s.model, s.options, &s.compiled).err(); err != nil {
		return fmt.Errorf("compile model: %w", err)
	}
	return nil
}

// createBuffers makes the buffers in the memory that the accelerator wants: the host's, or the GPU's.
func (s *session) createBuffers() error {
	for _, x := range []struct {
		tensor       *tensor
		requirements func(c compiledModel, signature, index uintptr, r *requirements) status
	}{{&s.in, s.lib.inputRequirements}, {&s.out, s.lib.outputRequirements}} {
		var r requirements
		if err := x.requirements(s.compiled, 0, 0, &r).err(); err != nil {
			return fmt.Errorf("buffer of %q: %w", x.tensor.Name, err)
		}
		t, err := typeOf(x.tensor.Type)
		if err != nil {
			return err
		}
		if err := s.lib.createBuffer(s.env, &t, r, &x.tensor.buffer).err(); err != nil {
			return fmt.Errorf("buffer of %q: %w", x.tensor.Name, err)
		}
		var size uintptr
		if err := s.lib.bufferPackedSize(x.tensor.buffer, &size).err(); err != nil {
			return fmt.Errorf("buffer of %q: %w", x.tensor.Name, err)
		}
		if want := uintptr(x.tensor.Type.Bytes()); size != want {
			return fmt.Errorf("buffer of %q: LiteRT has %d bytes, the file %d", x.tensor.Name, size, want)
		}
	}
	s.pinned.Pin(s)
	for _, t := range []*tensor{&s.in, &s.out} {
		t.lockArgs = [3]uintptr{uintptr(t.buffer), uintptr(unsafe.Pointer(&t.address))}
	}
	s.runArgs = [6]uintptr{uintptr(s.compiled), 0, // the first signature
		1, uintptr(unsafe.Pointer(&s.in.buffer)), 1, uintptr(unsafe.Pointer(&s.out.buffer))}
	return nil
}

var elements = map[graph.DType]int32{graph.Float32: 1, graph.Int32: 2, graph.UInt8: 3, graph.Int64: 4, graph.Int16: 7, graph.Int8: 9}

func typeOf(t graph.Type) (rankedType, error) {
	element, ok := elements[t.DType]
	r := rankedType{element: element, rank: uint32(len(t.Shape))}
	if !ok || len(t.Shape) > len(r.dimensions) {
		return r, fmt.Errorf("%v%v is not a type of LiteRT", t.DType, t.Shape)
	}
	for i, d := range t.Shape {
		r.dimensions[i] = int32(d)
	}
	return r, nil
}

func (s *session) Input() infer.Tensor        { return s.in.Tensor }
func (s *session) Output() infer.Tensor       { return s.out.Tensor }
func (s *session) Placement() infer.Placement { return s.placement }

// Adapter is the GPU that runs the model, as LiteRT names it; "" on the CPU.
func (s *session) Adapter() string { return s.adapter }

var errClosed = errors.New("litert: the session is closed")

func (s *session) Write(in []byte) error {
	return s.with(&s.in, lockWrite, len(in), func(data []byte) { copy(data, in) })
}

func (s *session) Read(out []byte) error {
	return s.with(&s.out, lockRead, len(out), func(data []byte) { copy(out, data) })
}

// with calls f with the tensor's n bytes, in memory that is the host's for the time of the call.
func (s *session) with(t *tensor, mode uintptr, n int, f func([]byte)) error {
	if s.compiled == 0 {
		return errClosed
	}
	if err := t.CheckSize(n); err != nil {
		return err
	}
	if err := s.lock(t, mode); err != nil {
		return fmt.Errorf("litert: lock %q: %w", t.Name, err)
	}
	f(unsafe.Slice((*byte)(t.address), n))
	if err := s.unlock(t); err != nil {
		return fmt.Errorf("litert: unlock %q: %w", t.Name, err)
	}
	return nil
}

func (s *session) lock(t *tensor, mode uintptr) error {
	t.lockArgs[2] = mode
	r, _, _ := purego.SyscallN(s.lib.lock, t.lockArgs[:]...)
	return status(r).err()
}

func (s *session) unlock(t *tensor) error {
	r, _, _ := purego.SyscallN(s.lib.unlock, t.lockArgs[:1]...)
	return status(r).err()
}

// Invoke returns when the output is there: a GPU is waited for, by asking for the output.
func (s *session) Invoke() error {
	if s.compiled == 0 {
		return errClosed
	}
	r, _, _ := purego.SyscallN(s.lib.run, s.runArgs[:]...)
	err := status(r).err()
	if err == nil && s.delegate == GPU {
		if err = s.lock(&s.out, lockRead); err == nil {
			err = s.unlock(&s.out)
		}
	}
	if err != nil {
		return fmt.Errorf("litert: invoke: %w", err)
	}
	return nil
}

// Close destroys everything, users before what they use.
func (s *session) Close() error {
	s.closeCompiled()
	if s.model != 0 {
		s.lib.destroyModel(s.model)
	}
	if s.env != 0 {
		s.lib.destroyEnvironment(s.env)
	}
	s.pinned.Unpin()
	*s = session{in: tensor{Tensor: s.in.Tensor}, out: tensor{Tensor: s.out.Tensor}, placement: s.placement, adapter: s.adapter}
	return nil
}

// closeCompiled destroys the compiled model, with its options and buffers.
func (s *session) closeCompiled() {
	for _, b := range []buffer{s.in.buffer, s.out.buffer} {
		if b != 0 {
			s.lib.destroyBuffer(b)
		}
	}
	if s.compiled != 0 {
		s.lib.destroyCompiledModel(s.compiled)
	}
	if s.options != 0 {
		s.lib.destroyOptions(s.options)
	}
}
