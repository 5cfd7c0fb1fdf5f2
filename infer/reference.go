package infer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"mnet-edge/devices"
	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/quant"
)

// ReferenceName is the reference runtime's name and that of its one delegate.
const ReferenceName = "reference"

type reference struct{ rounding quant.Rounding }

// NewReference returns the runtime on graph/interp, with the integer arithmetic of a rounding. It runs on one thread
// whatever Options.Threads says.
func NewReference(r quant.Rounding) Runtime { return reference{r} }

func (reference) Name() string { return ReferenceName }

func (r reference) Version() string {
	return runtime.Version() + ", " + r.rounding.String() + " rounding"
}

func (r reference) Devices() []devices.Device {
	return []devices.Device{{Name: ReferenceName, Kind: devices.CPU, Available: true, Version: r.Version()}}
}

// Open takes no delegate but itself.
func (r reference) Open(model []byte, opts Options) (Session, error) {
	s, _, err := r.open(model, opts, nil)
	return s, err
}

// open is Open with a tap on the interpreter, and the graph that it runs.
func (r reference) open(model []byte, opts Options, tap func(*graph.Value, any)) (Session, *graph.Graph, error) {
	switch opts.Delegate {
	case "", NoDelegate, ReferenceName:
	default:
		return nil, nil, fmt.Errorf("reference runtime: delegate %q: %w: it has none", opts.Delegate, ErrUnavailable)
	}
	if _, err := opts.ThreadCount(); err != nil {
		return nil, nil, err
	}
	g, err := Decode(bytes.Clone(model))
	if err != nil {
		return nil, nil, err
	}
	m, err := interp.New(g, interp.Options{Rounding: r.rounding, Tap: tap})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	return &referenceSession{
		machine: m,
		in:      TensorOf(g.Inputs[0]),
		out:     TensorOf(g.Outputs[0]),
		place:   Placement{Delegate: NoDelegate, TotalNodes: len(g.Nodes)},
		input:   []any{elements(g.Inputs[0].Type)},
	}, g, nil
}

type referenceSession struct {
	machine *interp.Machine // nil when closed
	in, out Tensor
	place   Placement
	input   []any // the one input's elements
	output  any   // the machine's own; nil before the first Invoke
}

func (s *referenceSession) Input() Tensor        { return s.in }
func (s *referenceSession) Output() Tensor       { return s.out }
func (s *referenceSession) Placement() Placement { return s.place }
func (s *referenceSession) Threads() int         { return 1 }

var errReferenceClosed = errors.New("reference runtime: the session is closed")

func (s *referenceSession) Write(in []byte) error {
	if s.machine == nil {
		return errReferenceClosed
	}
	if err := s.in.CheckSize(len(in)); err != nil {
		return err
	}
	_, err := binary.Decode(in, binary.LittleEndian, s.input[0])
	return err
}

func (s *referenceSession) Invoke() error {
	if s.machine == nil {
		return errReferenceClosed
	}
	out, err := s.machine.Run(s.input...)
	if err == nil {
		s.output = out[0]
	}
	return err
}

func (s *referenceSession) Read(out []byte) error {
	if s.machine == nil {
		return errReferenceClosed
	}
	if err := s.out.CheckSize(len(out)); err != nil {
		return err
	}
	if s.output == nil {
		clear(out)
		return nil
	}
	_, err := binary.Encode(out, binary.LittleEndian, s.output)
	return err
}

func (s *referenceSession) Close() error {
	*s = referenceSession{in: s.in, out: s.out, place: s.place}
	return nil
}

// elements is a slice for a tensor's elements; nil for types that no interpreter input has.
func elements(t graph.Type) any {
	switch n := t.Elements(); t.DType {
	case graph.Float32:
		return make([]float32, n)
	case graph.Int8:
		return make([]int8, n)
	case graph.UInt8:
		return make([]uint8, n)
	case graph.Int16:
		return make([]int16, n)
	}
	return nil
}
