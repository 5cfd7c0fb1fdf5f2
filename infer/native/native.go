package native

import (
	"fmt"

	"mnet-edge/devices"
	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// Name is the runtime's name and that of its one delegate.
const Name = "native"

// Rounding is the runtime whose integer arithmetic is followed.
type Rounding uint8

const (
	XNNPACK   Rounding = iota // quant.Float32
	Reference                 // quant.Double: TFLite's reference kernels
)

// quant is the rounding as graph/interp calls it.
func (r Rounding) quant() quant.Rounding {
	if r == Reference {
		return quant.Double
	}
	return quant.Float32
}

// Options choose how the runtime computes. The zero value is the fastest family in XNNPACK's arithmetic.
type Options struct {
	Family   Family // "" is what EnvFamily names, or else the fastest of Families
	Rounding Rounding
}

type engine struct {
	family   Family
	err      error // why there is none
	rounding quant.Rounding
}

// New returns the runtime. A family that this processor cannot run makes its device unavailable and Open fail.
func New(opts Options) infer.Runtime {
	e := engine{rounding: opts.Rounding.quant()}
	e.family, e.err = choose(opts.Family)
	if e.err == nil && opts.Rounding > Reference {
		e.err = fmt.Errorf("native: unknown rounding %d", opts.Rounding)
	}
	return e
}

func (engine) Name() string { return Name }

// Version is the family of kernels and the rounding.
func (e engine) Version() string {
	if e.err != nil {
		return "none"
	}
	return fmt.Sprintf("%s, %v rounding", e.family, e.rounding)
}

func (e engine) Devices() []devices.Device {
	d := devices.Device{Name: Name, Kind: devices.CPU, Available: e.err == nil}
	if e.err != nil {
		d.Reason = e.err.Error()
	} else {
		d.Version = e.Version()
	}
	return []devices.Device{d}
}

// Open takes no delegate but itself ("" or "native"). A model with an operator or a shape that it cannot run is refused
// with infer.ErrUnavailable, the operator named, so that another runtime may have it. With more than one thread, each has
// its part of what assembler kernels compute, as long as that is faster.
func (e engine) Open(model []byte, opts infer.Options) (infer.Session, error) {
	s, err := e.open(model, opts, planHooks{})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (e engine) open(model []byte, opts infer.Options, hooks planHooks) (*session, error) {
	if e.err != nil {
		return nil, fmt.Errorf("native: %w", e.err)
	}
	if opts.Delegate != "" && opts.Delegate != Name {
		return nil, fmt.Errorf("native: delegate %q: %w: it has none but itself", opts.Delegate, infer.ErrUnavailable)
	}
	threads, err := opts.ThreadCount()
	if err != nil {
		return nil, err
	}
	g, err := infer.Decode(model)
	if err != nil {
		return nil, err
	}
	return e.session(g, threads, hooks)
}

func (e engine) session(g *graph.Graph, threads int, hooks planHooks) (*session, error) {
	p, err := newPlan(g, e.family, e.rounding, threads, hooks)
	if err != nil {
		return nil, err
	}
	in, out := g.Inputs[0], g.Outputs[0]
	return &session{
		plan:      p,
		threads:   p.threads(),
		in:        infer.Tensor{Name: in.Name, Type: in.Type},
		out:       infer.Tensor{Name: out.Name, Type: out.Type},
		placement: infer.Placement{Delegate: Name, DelegatedNodes: len(g.Nodes), TotalNodes: len(g.Nodes), Partitions: 1},
	}, nil
}
