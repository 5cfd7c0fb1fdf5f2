//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"fmt"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"unsafe"

	"mnet-edge/graph"
	"mnet-edge/infer"
)

// session is a compiled model with what it is made of.
type session struct {
	compiled
	env       environment
	model     model
	file      goruntime.Pinner // the model's bytes, which LiteRT reads where they lie
	placement infer.Placement
	adapter   string
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
	s := &session{compiled: compiled{lib: lib, delegate: opts.Delegate, threads: opts.Threads, cache: cache.Path,
		in: tensor{Tensor: infer.TensorOf(g.Inputs[0])}, out: tensor{Tensor: infer.TensorOf(g.Outputs[0])}}}
	log := captured(func() { err = s.init(filepath.Dir(path), bytes, origins) })
	if settled := cache.Settle(err == nil); err == nil {
		err = settled
	}
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
	s.file.Pin(&bytes[0])
	if err := s.lib.createModel(s.env, unsafe.Pointer(&bytes[0]), uintptr(len(bytes)), &s.model).err(); err != nil {
		return fmt.Errorf("load model: %w", err)
	}
	if err := s.compile(s.env, s.model, ""); err != nil {
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

func (s *session) Placement() infer.Placement { return s.placement }

// Adapter is the GPU that runs the model, as LiteRT names it; "" on the CPU.
func (s *session) Adapter() string { return s.adapter }

// Close destroys everything, users before what they use.
func (s *session) Close() error {
	s.compiled.close()
	if s.model != 0 {
		s.lib.destroyModel(s.model)
	}
	if s.env != 0 {
		s.lib.destroyEnvironment(s.env)
	}
	s.file.Unpin()
	s.model, s.env = 0, 0
	return nil
}
