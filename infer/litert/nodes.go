//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"errors"

	"mnet-edge/infer"
)

// event is ProfiledEventData.
type event struct {
	_        uintptr // its name
	kind     int32
	_        int32
	_        [2]uint64  // start and duration, µs
	_        [6]uintptr // memory before and after
	metadata [2]uint64
	_        [2]int32 // its source
}

const (
	kindOperator = 1 << 1 // a node that LiteRT's own kernels run
	kindDelegate = 1 << 3 // an operator within a delegate; metadata[0] is its number there, from 0
)

// count tells how many of total nodes the CPU accelerator took. LiteRT says of a compiled model whether it is accelerated
// whole; one that is not is compiled again with the profiler, which has an event for each node left.
func (s *session) count(total int) (infer.Placement, error) {
	var whole bool
	if err := s.lib.isFullyAccelerated(s.compiled, &whole).err(); err != nil {
		return infer.Placement{}, err
	}
	if whole {
		return infer.Placement{Delegate: s.delegate, DelegatedNodes: total, TotalNodes: total, Partitions: 1}, nil
	}
	left, partitions, err := s.profile()
	if left > total || partitions == 0 { // what there is no event for has not been taken
		return infer.Placement{Delegate: "none", TotalNodes: total}, err
	}
	return infer.Placement{Delegate: s.delegate, DelegatedNodes: total - left, TotalNodes: total, Partitions: partitions}, err
}

// profile runs the model once and counts the nodes that no delegate took, and the partitions of those that one did.
func (s *session) profile() (left, partitions int, err error) {
	traced := &session{lib: s.lib, delegate: s.delegate, env: s.env, model: s.model,
		in: tensor{Tensor: s.in.Tensor}, out: tensor{Tensor: s.out.Tensor}}
	defer traced.pinned.Unpin()
	defer traced.closeCompiled()
	if err := traced.compile(s.threads, "enable_profiling = true\n"); err != nil {
		return 0, 0, err
	}
	if err := traced.createBuffers(); err != nil {
		return 0, 0, err
	}
	var p profiler
	if err := s.lib.getProfiler(traced.compiled, &p).err(); err != nil {
		return 0, 0, err
	}
	var n int32
	err = errors.Join(s.lib.startProfiler(p).err(), traced.Invoke(), s.lib.stopProfiler(p).err(), s.lib.numEvents(p, &n).err())
	if err != nil || n <= 0 {
		return 0, 0, err
	}
	events := make([]event, n)
	if err := s.lib.events(p, n, &events[0]).err(); err != nil {
		return 0, 0, err
	}
	for _, e := range events {
		switch {
		case e.kind == kindOperator:
			left++
		case e.kind == kindDelegate && e.metadata[0] == 0:
			partitions++
		}
	}
	return left, partitions, nil
}
