package native

import (
	"context"
	"time"

	"mnet-edge/clock"
	"mnet-edge/graph"
	"mnet-edge/infer"
)

// Profile times each step. A node that another has taken upon itself, a pad, has no time of its own.
func (e engine) Profile(ctx context.Context, model []byte, opts infer.Options, input []byte, calls int) (*infer.Profile, error) {
	opened, err := e.open(model, opts, planHooks{apart: true})
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	if err := opened.Write(input); err != nil {
		return nil, err
	}
	p := opened.plan
	nodes := make([]infer.NodeTime, len(p.nodes))
	at := map[*graph.Value]int{}
	for i, n := range p.nodes {
		at[n.Out] = i
		nodes[i] = infer.NodeTime{Name: n.Out.Name, Op: n.Op.Name(), Ran: Name, Kernel: "fused"}
	}
	took := make([]time.Duration, len(nodes))
	steps := make([]int, len(p.steps)) // their nodes
	for i, s := range p.steps {
		steps[i] = at[s.value]
		nodes[steps[i]].Kernel = ""
	}
	return infer.ProfileCalls(ctx, nodes, took, calls, func() error {
		p.watch(func(step int, d time.Duration) { took[steps[step]] = d })
		return nil
	}, nil)
}

// watch is run with the time of each step told, of a plan whose steps have stretches of their own.
func (p *plan) watch(tell func(step int, took time.Duration)) {
	if p.team != nil {
		p.team.muster()
	}
	stretch := 0
	for i, s := range p.steps {
		began := clock.Now()
		for range s.stretches {
			if p.team != nil {
				p.team.stretch(p.phases[stretch])
			} else {
				do(p.phases[stretch], 0)
			}
			stretch++
		}
		tell(i, clock.Since(began))
	}
}
