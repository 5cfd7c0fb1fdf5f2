package main

import (
	"fmt"
	"slices"

	"mnet-edge/bench/internal/turns"
	"mnet-edge/infer"
)

// plainOurs is our quantizer with every choice made beforehand: ranges from the smallest to the largest value, which is all that the
// peers do.
const plainOurs = "mnet-edge, plain min-max"

// race times whole processes. In each round all quantizers take a turn, so that what else the machine does falls on all of them; a
// ratio is that of two times of one round, and of the rounds' ratios the median counts.
func (b *bench) race(models []string) error {
	fmt.Printf("%d calibration images of %s; medians of %d rounds, whole processes\n\n", b.set.Train.N, b.set.Name, b.speed)
	fmt.Println("| model | quantizer | time | mnet-edge is faster by | plain by |")
	fmt.Println("|---|---|---|---|---|")
	for _, path := range models {
		name, at, flags, err := b.prepare(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		runners := []made{{by: "mnet-edge"}, {by: plainOurs}, {by: "TensorFlow"}, {by: "LiteRT"}}
		seconds := make([][]float64, len(runners))
		for round := range b.speed + 1 {
			for i := range runners {
				r := runners[i]
				r.path = at("race.tflite")
				if err := b.make(&r, at("float.tflite"), at("npy"), flags); err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				if round > 0 { // the first brings files and libraries into memory
					seconds[i] = append(seconds[i], r.whole.Seconds())
				}
			}
		}
		for i, r := range runners {
			middle := infer.Quantile(slices.Sorted(slices.Values(seconds[i])), 50)
			fmt.Printf("| %s | %s | %.2f s | %.2f | %.2f |\n", name, r.by, middle, ratio(seconds[i], seconds[0]), ratio(seconds[i], seconds[1]))
		}
	}
	return nil
}

// ratio is the median of a[i] / b[i].
func ratio(a, b []float64) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = a[i] / b[i]
	}
	return turns.Median(all)
}
