//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"errors"
	"slices"
	"time"
	"unsafe"

	"mnet-edge/infer"
)

// event is ProfiledEventData.
type event struct {
	name     *byte // a C string, the profiler's until it is reset
	kind     int32
	_        int32
	_        uint64     // start, µs
	took     uint64     // µs
	_        [6]uintptr // memory before and after
	metadata [2]uint64
	_        [2]int32 // its source
}

const (
	kindOperator = 1 << 1 // a node that LiteRT's own kernels run; metadata[0] is its number in the file
	kindDelegate = 1 << 3 // an operator within a delegate; metadata[0] is its number there, from 0
)

// operator is one that ran.
type operator struct {
	infer.OperatorRun
	took time.Duration // in whole microseconds, cut off
}

// count tells how many of the nodes the CPU accelerator took. LiteRT says of a compiled model whether it is accelerated
// whole; one that is not is compiled again with the profiler, which has an event for each node left.
func (s *session) count(origins []int) (infer.Placement, error) {
	total := len(slices.Compact(slices.Clone(origins)))
	var whole bool
	if err := s.lib.isFullyAccelerated(s.handle, &whole).err(); err != nil {
		return infer.Placement{}, err
	}
	if whole {
		return infer.Placement{Delegate: s.delegate, DelegatedNodes: total, TotalNodes: total, Partitions: 1}, nil
	}
	t, err := s.traced()
	if err != nil {
		return infer.Placement{}, err
	}
	defer t.close()
	ran, err := t.run()
	if err != nil {
		return infer.Placement{}, err
	}
	left := 0
	for _, o := range ran {
		if !o.Delegated {
			left++
			if !slices.Contains(origins, o.Node) { // it only computes a shape
				total++
			}
		}
	}
	n := partitions(ran)
	if left > total || n == 0 { // what there is no event for has not been taken
		return infer.Placement{Delegate: infer.NoDelegate, TotalNodes: total}, nil
	}
	return infer.Placement{Delegate: s.delegate, DelegatedNodes: total - left, TotalNodes: total, Partitions: n}, nil
}

// partitions is how many of them ran: in each the operators are numbered from 0.
func partitions(ran []operator) (n int) {
	for _, o := range ran {
		if o.Delegated && o.Node == 0 {
			n++
		}
	}
	return n
}

// places tells from the operators of a call where the file's ran. LiteRT does not say which nodes are in which partition:
// what has no event of its own is in the delegate, a partition from one such event to the next. ok is whether that makes as
// many partitions as there are.
func places(origins []int, ran []operator) (ps []infer.NodePlace, ok bool) {
	own := map[int]bool{}
	for _, o := range ran {
		if !o.Delegated {
			own[o.Node] = true
		}
	}
	partition, within, operators := -1, false, 0
	if n := len(origins); n > 0 {
		operators = origins[n-1] + 1
	}
	for node := range operators {
		p := infer.NodePlace{Node: node, Partition: -1}
		if !own[node] {
			if !within {
				partition++
			}
			p.Partition = partition
		}
		within = !own[node]
		ps = append(ps, p)
	}
	return ps, partition+1 == partitions(ran)
}

// tracing is a session's model compiled once more, with LiteRT's profiler.
type tracing struct {
	compiled
	profiler profiler
}

func (s *session) traced() (_ *tracing, err error) {
	t := &tracing{compiled: compiled{lib: s.lib, delegate: s.delegate, threads: s.threads,
		in: tensor{Tensor: s.in.Tensor}, out: tensor{Tensor: s.out.Tensor}}}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if err := t.compile(s.env, s.model, "enable_profiling = true\n"); err != nil {
		return nil, err
	}
	if err := s.lib.getProfiler(t.handle, &t.profiler).err(); err != nil {
		return nil, err
	}
	return t, s.lib.startProfiler(t.profiler).err()
}

// run is one call, and the operators that ran.
func (t *tracing) run() ([]operator, error) {
	if err := t.Invoke(); err != nil {
		return nil, err
	}
	return t.operators()
}

// operators are those that ran since the last call of it, in their order.
func (t *tracing) operators() ([]operator, error) {
	var n int32
	if err := t.lib.numEvents(t.profiler, &n).err(); err != nil || n <= 0 {
		return nil, err
	}
	events := make([]event, n)
	if err := t.lib.events(t.profiler, n, &events[0]).err(); err != nil {
		return nil, err
	}
	var ran []operator
	for _, e := range events {
		if e.kind == kindOperator || e.kind == kindDelegate {
			ran = append(ran, operator{
				infer.OperatorRun{Kernel: text(e.name), Delegated: e.kind == kindDelegate, Node: int(e.metadata[0])},
				time.Duration(e.took) * time.Microsecond,
			})
		}
	}
	// A reset ends the profiling too.
	return ran, errors.Join(t.lib.resetProfiler(t.profiler).err(), t.lib.startProfiler(t.profiler).err())
}

func (t *tracing) close() {
	if t.profiler != 0 {
		_ = t.lib.stopProfiler(t.profiler)
	}
	t.compiled.close()
}

// text is a C string.
func text(s *byte) string {
	if s == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(s), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(s, n))
}

var errNoTrace = errors.New("litert: the profiler's events do not say which nodes the delegate has")
