package infer

import (
	"context"
	"slices"
)

// rounds is how often MeasureInterleaved comes back to each session.
const rounds = 10

// MeasureInterleaved is Measure for several sessions whose times are to be compared: it goes around them in rounds,
// forwards and backwards in turn (ABBA), so that a machine that grows slower or faster meanwhile treats all alike. Among several, the first call
// of a turn is not counted, nor is its time part of MaxSecs.
// inputs[i] is written to sessions[i] once; the options hold for each session, all rounds together.
func MeasureInterleaved(ctx context.Context, sessions []Session, inputs [][]byte, opts MeasureOptions) ([]Latency, error) {
	watches := make([]*stopwatch, len(sessions))
	order := make([]int, len(sessions))
	for i, s := range sessions {
		if err := s.Write(inputs[i]); err != nil {
			return nil, err
		}
		watches[i], order[i] = newStopwatch(max(opts.NumRuns, 1<<14)), i
		if err := watches[i].warmUp(ctx, s, opts); err != nil {
			return nil, err
		}
	}
	each := bounds{(max(opts.NumRuns, 1) + rounds - 1) / rounds, seconds(opts.MinSecs / rounds), seconds(opts.MaxSecs / rounds)}
	times := make([][][]float64, len(sessions)) // of each session's rounds
	for range rounds {
		for _, i := range order {
			w := watches[i]
			before := len(w.samples)
			if len(sessions) > 1 { // not counted: the others' data is in the caches
				if err := w.invoke(sessions[i]); err != nil {
					return nil, err
				}
				w.samples = w.samples[:before]
			}
			if err := w.repeat(ctx, sessions[i], each); err != nil {
				return nil, err
			}
			times[i] = append(times[i], inMicroseconds(w.samples[before:]))
		}
		slices.Reverse(order)
	}
	latencies := make([]Latency, len(sessions))
	for i, w := range watches {
		latencies[i] = w.latency()
		latencies[i].kept.rounds = times[i]
	}
	return latencies, nil
}
