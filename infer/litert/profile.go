//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mnet-edge/infer"
)

// Profile has LiteRT's profiler tell the time of its own kernels and of XNNPACK's operators, both in whole microseconds, cut
// off: of an operator that takes less, nothing is known. The GPU accelerator tells nothing: infer.ErrNoProfile.
func (r runtime) Profile(ctx context.Context, model []byte, opts infer.Options, input []byte, calls int) (*infer.Profile, error) {
	if opts.Delegate == GPU {
		return nil, fmt.Errorf("litert: delegate %s: %w", GPU, infer.ErrNoProfile)
	}
	g, origins, err := infer.DecodeOrigins(model)
	if err != nil {
		return nil, err
	}
	opened, err := r.Open(model, opts)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	s := opened.(*session)
	var t *tracing
	captured(func() { t, err = s.traced() })
	if err != nil {
		return nil, fmt.Errorf("litert: profile: %w", err)
	}
	defer t.close()
	if err := t.Write(input); err != nil {
		return nil, err
	}
	ran, err := t.run()
	if err != nil {
		return nil, fmt.Errorf("litert: profile: %w", err)
	}
	where, ok := places(origins, ran)
	if !ok {
		return nil, fmt.Errorf("%w: %w", errNoTrace, infer.ErrNoProfile)
	}
	said := make([]infer.OperatorRun, len(ran))
	for i, o := range ran {
		said[i] = o.OperatorRun
	}
	nodes, owner := infer.Attribute(g, origins, where, said, s.delegate)
	took := make([]time.Duration, len(nodes))
	var lost error
	p, err := infer.ProfileCalls(ctx, nodes, took, calls, t.Invoke, func() {
		clear(took)
		ran, err := t.operators()
		lost = errors.Join(lost, err)
		ran = ran[max(0, len(ran)-len(owner)):] // those of the warm-up, which nobody gathered, are before
		for i, o := range ran {
			if owner[i] >= 0 {
				took[owner[i]] += o.took
			}
		}
	})
	if err = errors.Join(err, lost); err != nil {
		return nil, err
	}
	p.StepUS = 1
	return p, nil
}
