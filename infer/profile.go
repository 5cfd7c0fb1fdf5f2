package infer

import (
	"context"
	"errors"
	"slices"
	"time"

	"mnet-edge/clock"
	"mnet-edge/graph"
)

// Profile says where the time of a call goes, node by node. Times are interquartile means over the calls, in
// microseconds: means of the middle half, which a moment of bad luck does not move.
type Profile struct {
	Calls  int        `json:"calls"`
	Source string     `json:"source"`  // who took the times: SourceRuntime or SourceSplit
	CallUS float64    `json:"call_us"` // a whole call while it was watched
	RestUS float64    `json:"rest_us"` // of it in no node: dispatch, watching, what is under the runtime's resolution
	StepUS float64    `json:"step_us"` // the delegate's times are multiples of it, cut off; 0 where they are finer
	Nodes  []NodeTime `json:"nodes"`   // in the model's order
}

// Who took a profile's times.
const (
	SourceRuntime = "runtime"         // the runtime itself
	SourceSplit   = "reference split" // nobody: a call's time is divided as the reference interpreter's is
)

// NodeTime is one node's part in a call.
type NodeTime struct {
	Name   string  `json:"name"`             // of the value it computes
	Op     string  `json:"op"`               // graph.Op.Name
	Ran    string  `json:"ran_on"`           // the delegate, or NoDelegate
	Kernel string  `json:"kernel,omitempty"` // what the runtime calls what it ran
	US     float64 `json:"us"`
	Share  float64 `json:"share"`            // of the sum over the nodes
	Reason string  `json:"reason,omitempty"` // why the delegate did not take it, where that is known
}

// A Profiler is a Runtime that can say where the time of a call goes. Being watched costs time, so a profile is taken in
// a session of its own.
type Profiler interface {
	Runtime
	// Profile runs the model calls times on the input, a tensor's bytes, after a warm-up. Errors are those of Open, and
	// ErrNoProfile.
	Profile(ctx context.Context, model []byte, opts Options, input []byte, calls int) (*Profile, error)
}

// ErrNoProfile is that of a delegate whose runtime does not say where its time goes.
var ErrNoProfile = errors.New("the runtime does not say where the time goes")

// ProfileOn is r's profile of the model, or where r gives none, the time of its calls divided among the nodes as the
// reference interpreter divides its own.
func ProfileOn(ctx context.Context, r Runtime, model []byte, opts Options, input []byte, calls int) (*Profile, error) {
	if p, ok := r.(Profiler); ok {
		profile, err := p.Profile(ctx, model, opts, input, calls)
		if !errors.Is(err, ErrNoProfile) {
			return profile, err
		}
	}
	s, err := r.Open(model, opts)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	l, err := Measure(ctx, s, input, MeasureOptions{WarmupRuns: profileWarmup, NumRuns: calls})
	if err != nil {
		return nil, err
	}
	p, err := reference{}.Profile(ctx, model, Options{}, input, min(calls, 10))
	if err != nil {
		return nil, err
	}
	place := s.Placement()
	p.Calls, p.Source, p.CallUS, p.RestUS = calls, SourceSplit, l.P50, 0
	for i := range p.Nodes {
		n := &p.Nodes[i]
		n.US, n.Kernel, n.Ran = n.Share*p.CallUS, "", ""
		switch place.DelegatedNodes {
		case 0, place.TotalNodes: // of a delegate that took some of the nodes, the placement does not say which
			n.Ran = place.Delegate
		}
	}
	return p, nil
}

// profileWarmup is the number of calls before those that a profile is made of.
const profileWarmup = 5

// ProfileCalls calls invoke calls times after a warm-up and makes a Profile of the nodes' times that it leaves in took,
// one for each of nodes; where it leaves them elsewhere, gather, if not nil, brings them there, and is not in the call.
func ProfileCalls(ctx context.Context, nodes []NodeTime, took []time.Duration, calls int, invoke func() error, gather func()) (*Profile, error) {
	times := make([][]float64, len(nodes)+1) // the last are the whole calls'
	for i := range profileWarmup + calls {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		began := clock.Now()
		if err := invoke(); err != nil {
			return nil, err
		}
		whole := clock.Since(began)
		if i < profileWarmup {
			continue
		}
		if gather != nil {
			gather()
		}
		for k, d := range took {
			times[k] = append(times[k], Microseconds(d))
		}
		times[len(nodes)] = append(times[len(nodes)], Microseconds(whole))
	}
	p := &Profile{Calls: calls, Source: SourceRuntime, CallUS: middleMean(times[len(nodes)]), Nodes: nodes}
	sum := 0.0
	for i := range nodes {
		nodes[i].US = middleMean(times[i])
		sum += nodes[i].US
	}
	for i := range nodes {
		if sum > 0 {
			nodes[i].Share = nodes[i].US / sum
		}
	}
	p.RestUS = max(p.CallUS-sum, 0)
	return p, nil
}

// middleMean is the mean of the middle half of the values, which it sorts.
func middleMean(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	slices.Sort(xs)
	xs = xs[len(xs)/4 : len(xs)-len(xs)/4]
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

// Profile times each node of the interpreter.
func (r reference) Profile(ctx context.Context, model []byte, opts Options, input []byte, calls int) (*Profile, error) {
	var took []time.Duration
	var last clock.Instant
	next := 0
	s, g, err := r.open(model, opts, func(v *graph.Value, _ any) {
		now := clock.Now()
		if v.Def != nil {
			took[next] = now.Sub(last)
			next++
		}
		last = clock.Now()
	})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Write(input); err != nil {
		return nil, err
	}
	nodes := make([]NodeTime, len(g.Nodes))
	for i, n := range g.Nodes {
		nodes[i] = NodeTime{Name: n.Out.Name, Op: n.Op.Name(), Ran: ReferenceName}
	}
	took = make([]time.Duration, len(nodes))
	return ProfileCalls(ctx, nodes, took, calls, func() error {
		next = 0
		return s.Invoke()
	}, nil)
}
