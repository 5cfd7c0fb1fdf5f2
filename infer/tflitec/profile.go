//go:build tflite && cgo

package tflitec

// #include "observe.h"
// #include "profile.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/tphakala/go-tflite"

	"mnet-edge/graph"
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

func (w *watcher) forget() { w.w.count = 0 }

// Profile has the runtime tell the time of its own kernels to the nanosecond, and XNNPACK that of its operators in whole
// microseconds, cut off: of an operator that takes less, nothing is known.
func (r tfliteRuntime) Profile(ctx context.Context, model []byte, opts infer.Options, input []byte, calls int) (*infer.Profile, error) {
	g, err := infer.Decode(model)
	if err != nil {
		return nil, err
	}
	if opts.Threads, err = opts.ThreadCount(); err != nil {
		return nil, err
	}
	if opts.Delegate == "" {
		opts.Delegate = XNNPACK
	}
	w := &watcher{C.mnet_watcher_new()}
	if w.w == nil {
		return nil, errors.New("tflite: no memory for a profile")
	}
	defer C.free(unsafe.Pointer(w.w))
	opened, err := newSession(model, g, opts, w)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	if err := errors.Join(opened.Write(input), opened.Invoke()); err != nil {
		return nil, err
	}
	s := opened.(*session)
	w.forget()
	if err := s.Invoke(); err != nil {
		return nil, err
	}
	nodes, owner := attribute(g, s.places(), w.events(), opts.Delegate)
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

// place is where the runtime runs one of its nodes.
type place struct {
	node      int
	name      string // of what it computes
	partition int    // of the delegate, -1 for none
}

func (s *session) places() []place {
	o := s.delegate.o
	ps := make([]place, o.total)
	for i, p := range unsafe.Slice(o.places, len(ps)) {
		ps[i] = place{node: int(p.node), partition: int(p.partition)}
		if t := C.TfLiteInterpreterGetTensor((*C.TfLiteInterpreter)(*handle(s.interpreter)), p.output); p.output >= 0 && t != nil {
			ps[i].name = C.GoString(C.TfLiteTensorName(t))
		}
	}
	return ps
}

// attribute describes the graph's nodes by where they ran, and gives for each event the node it belongs to, -1 for none.
func attribute(g *graph.Graph, places []place, events []C.mnet_event, delegate string) (nodes []infer.NodeTime, owner []int) {
	nodes = make([]infer.NodeTime, len(g.Nodes))
	for i, n := range g.Nodes {
		nodes[i] = infer.NodeTime{Name: n.Out.Name, Op: n.Op.Name()}
	}
	byNode := map[int]int{}      // the runtime's node -> the graph's
	partition := map[int][]int{} // of the delegate -> the graph's nodes
	from := 0
	for _, p := range places {
		// The file's operators are the graph's but for those that only compute a shape, which have no node.
		at := slices.IndexFunc(nodes[from:], func(n infer.NodeTime) bool { return n.Name == p.name })
		if at < 0 {
			continue
		}
		at += from
		from = at + 1
		byNode[p.node] = at
		nodes[at].Ran = None
		if p.partition >= 0 {
			nodes[at].Ran = delegate
			partition[p.partition] = append(partition[p.partition], at)
		}
	}
	own := func(at int, kernel string) {
		owner = append(owner, at)
		switch {
		case at < 0:
		case nodes[at].Kernel == "":
			nodes[at].Kernel = kernel
		default:
			nodes[at].Kernel += " + " + kernel
		}
	}
	part, next := -1, 0
	for _, e := range events {
		kernel := C.GoString(&e.name[0])
		if e.delegated == 0 {
			at, ok := byNode[int(e.node)]
			if !ok {
				at = -1
			}
			own(at, kernel)
			continue
		}
		if e.node == 0 {
			part, next = part+1, 0
		}
		at := -1
		if in := partition[part]; len(in) > 0 {
			next = operatorsNode(g, in, next, kernel)
			at = in[min(next, len(in)-1)]
			next++
		}
		own(at, kernel)
		if at >= 0 && !implements(kernel, g.Nodes[at].Op) {
			next-- // a step on the way to the node: the next operator is its too
		}
	}
	for i, n := range nodes {
		if n.Kernel == "" && n.Ran == delegate {
			nodes[i].Kernel = "fused"
		}
	}
	return nodes, owner
}

// operatorsNode is the place among nodes, from next on, of the one that an operator of XNNPACK implements; next if there
// is none: the operator helps with that node.
func operatorsNode(g *graph.Graph, nodes []int, next int, kernel string) int {
	for i := next; i < len(nodes); i++ {
		if implements(kernel, g.Nodes[nodes[i]].Op) {
			return i
		}
	}
	return next
}

// xnnpackNames are how the names of XNNPACK's operators begin, by graph.Op.Name. Source: XNNPACK's operator-type-defs.
var xnnpackNames = map[string][]string{
	"conv2d":           {"Convolution", "Fully Connected"},
	"depthwise_conv2d": {"Convolution"},
	"fully_connected":  {"Fully Connected"},
	"mean":             {"Mean", "Global Average Pooling", "Global Sum Pooling"},
	"average_pool":     {"Average Pooling", "Global Average Pooling"},
	"max_pool":         {"Max Pooling"},
	"add":              {"Add"},
	"sub":              {"Subtract"},
	"mul":              {"Multiply"},
	"pad":              {"Constant Pad"},
	"reshape":          {"Static Reshape", "Copy", "Reshape"},
	"concat":           {"Copy", "Concatenate"},
	"activate":         {"Clamp"},
	"hard_swish":       {"HardSwish"},
	"logistic":         {"Sigmoid"},
	"softmax":          {"Softmax", "SoftMax"},
	"transpose":        {"Transpose"},
	"resize_bilinear":  {"Resize Bilinear"},
	"quantize":         {"Convert"},
	"dequantize":       {"Convert"},
}

func implements(kernel string, op graph.Op) bool {
	return slices.ContainsFunc(xnnpackNames[op.Name()], func(begins string) bool { return strings.HasPrefix(kernel, begins) })
}
