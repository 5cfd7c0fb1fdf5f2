package main

import (
	"fmt"

	"mnet-edge/bench/internal/turns"
)

// peer is the other side. When it is ready it prints "ready NAME: ANSWER", the output tensor's bytes in hexadecimal digits; then for
// each line "N" it calls N times and prints the nanoseconds of each.
type peer struct{ *turns.Process }

// run is the microseconds of n calls.
func (p peer) run(n int) ([]float64, error) {
	took, err := p.Ask(n)
	if err == nil && len(took) != n {
		err = fmt.Errorf("%s: %d times of %d calls", p.Name, len(took), n)
	}
	for i := range took {
		took[i] /= 1e3
	}
	return took, err
}
