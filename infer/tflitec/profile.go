//go:build tflite && cgo

package tflitec

// #include "observe.h"
// #include "profile.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/tphakala/go-tflite"

	"mnet-edge/infer"
)

// watcher is told by the runtime which operators run. A nil one is told nothing.
type watcher struct{ w *C.mnet_watcher }

func (w *watcher) attach(o *tflite.InterpreterOptions) {
	if w != nil {
		C.mnet_watch((*C.TfLiteInterpreterOptions)(*handle(o)), w.w)
		runtime.KeepAlive(o)
	}
}

// events are the operators that ran since forget, in their order.
func (w *watcher) events() []C.mnet_event { return w.w.events[:w.w.count] }

// ran are the same, as infer.Attribute takes them.
func (w *watcher) ran() []infer.OperatorRun {
	var rs []infer.OperatorRun
	for _, e := range w.events() {
		rs = append(rs, infer.OperatorRun{Kernel: C.GoString(&e.name[0]), Delegated: e.delegated != 0, Node: int(e.node)})
	}
	return rs
}

func (w *watcher) forget() { w.w.count = 0 }

// Profile has the runtime tell the time of its own kernels to the nanosecond, and XNNPACK that of its operators in whole
// microseconds, cut off: of an operator that takes less, nothing is known. Of other delegates it hears nothing: infer.ErrNoProfile where one takes
// a node.
func (r tfliteRuntime) Profile(ctx context.Context, model []byte, opts infer.Options, input []byte, calls int) (*infer.Profile, error) {
	g, origins, err := infer.DecodeOrigins(model)
	if err != nil {
		return nil, err
	}
	if opts.Threads, err = opts.ThreadCount(); err != nil {
		return nil, err
	}
	w := &watcher{C.mnet_watcher_new()}
	if w.w == nil {
		return nil, errors.New("tflite: no memory for a profile")
	}
	defer C.free(unsafe.Pointer(w.w))
	opened, delegate, err := r.open(model, g, opts, w)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	if delegate != infer.NoDelegate && delegate != XNNPACK && opened.Placement().DelegatedNodes > 0 {
		return nil, fmt.Errorf("tflite: delegate %s: %w", delegate, infer.ErrNoProfile)
	}
	if err := errors.Join(opened.Write(input), opened.Invoke()); err != nil {
		return nil, err
	}
	s := opened.(*session)
	w.forget()
	if err := s.Invoke(); err != nil {
		return nil, err
	}
	nodes, owner := infer.Attribute(g, origins, s.places(), w.ran(), delegate)
	took := make([]time.Duration, len(nodes))
	p, err := infer.ProfileCalls(ctx, nodes, took, calls, func() error {
		w.forget()
		return s.Invoke()
	}, func() {
		clear(took)
		for i, e := range w.events() {
			if i < len(owner) && owner[i] >= 0 {
				took[owner[i]] += time.Duration(e.ns)
			}
		}
	})
	if err == nil && s.placement.DelegatedNodes > 0 {
		p.StepUS = 1
	}
	return p, err
}

// places are those of the runtime's nodes.
func (s *session) places() []infer.NodePlace {
	o := s.delegate.o
	ps := make([]infer.NodePlace, o.total)
	for i, p := range unsafe.Slice(o.places, len(ps)) {
		ps[i] = infer.NodePlace{Node: int(p.node), Partition: int(p.partition)}
	}
	return ps
}
