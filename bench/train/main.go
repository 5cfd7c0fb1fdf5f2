// Train compares the training step of net D with Keras' on the same machine:
//
//	go run ./bench/train -python VENV/bin/python [-width 1,0.25] [-batch 128] [-rounds 5] [-plugin FILE] [-min 1]
//
// For each width, both run in processes of their own that compile and warm up first. Then they take turns, one working while the
// other waits, so that a machine that drifts or is shared treats both alike. Each round gives a ratio, ours over Keras'; their
// median is the result. The exit code is 1 when one of the medians is below -min. Both do SGD with momentum and weight decay, which
// is preset seed's rule; the fast preset's rule for matrices, Muon, has no counterpart in Keras.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"mnet-edge/bench/internal/turns"
	"mnet-edge/model"
	"mnet-edge/train"
)

func main() {
	python := flag.String("python", "python3", "Python with tensorflow-cpu==2.21.0")
	widths := flag.String("width", "1,0.25", "width multipliers of net D")
	batch := flag.Int("batch", 128, "images a step")
	rounds := flag.Int("rounds", 5, "rounds")
	seconds := flag.Float64("seconds", 5, "time for each side of a round, about")
	plugin := flag.String("plugin", "", "PJRT plugin of XLA for CPUs (default: looked for as the program does)")
	floor := flag.Float64("min", 1, "lowest median ratio that passes")
	serve := flag.Bool("serve", false, "be our side: for each line N on standard input run N steps and print images a second")
	flag.Parse()
	var errs []error
	for _, s := range strings.Split(*widths, ",") {
		width, err := strconv.ParseFloat(s, 64)
		switch {
		case err != nil:
		case *serve:
			err = serveSteps(width, *batch, *plugin)
		default:
			err = compare(*python, width, *batch, *rounds, *seconds, *plugin, *floor)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "bench/train:", err)
		os.Exit(1)
	}
}

func serveSteps(width float64, batch int, plugin string) error {
	spec := model.DefaultSpec(model.NetD)
	spec.Width = width
	b, err := train.NewStepBench(train.Config{Spec: spec, Preset: train.PresetSeed, Batch: batch, Backend: train.BackendXLA, Plugin: plugin})
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Printf("ready mnet-edge, GoMLX on XLA, %s, %d parameters\n", runtime.Version(), spec.Counts().Total)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		steps, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		speed, err := b.Run(steps)
		if err != nil {
			return err
		}
		fmt.Println(speed)
	}
	return lines.Err()
}

// warmUp is the number of steps before any is timed. The first ones take their memory from the system, which training does once.
const warmUp = 12

func compare(python string, width float64, batch, rounds int, seconds float64, plugin string, floor float64) error {
	_, source, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(source), "keras_step.py")
	w, n := strconv.FormatFloat(width, 'g', -1, 64), strconv.Itoa(batch)
	keras, err := start(exec.Command(python, script, w, n))
	if err != nil {
		return fmt.Errorf("starting Keras: %w", err)
	}
	defer keras.Stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	own := exec.Command(self, "-serve", "-width", w, "-batch", n, "-plugin", plugin)
	own.Env = append(os.Environ(), train.Tunables()...)
	ours, err := start(own)
	if err != nil {
		return err
	}
	defer ours.Stop()

	fmt.Printf("training step of net D, w=%s, batch %s, on %d processors\n  ours:  %s\n  Keras: %s\n", w, n, runtime.NumCPU(), ours.name, keras.name)
	steps := map[*side]int{}
	for _, s := range []*side{ours, keras} {
		if _, err := s.run(warmUp); err != nil {
			return err
		}
		speed, err := s.run(3)
		if err != nil {
			return err
		}
		steps[s] = max(3, int(seconds*speed/float64(batch)))
	}
	var a, b, ratios []float64
	for i := range rounds {
		speed := map[*side]float64{}
		order := []*side{ours, keras}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if speed[s], err = s.run(steps[s]); err != nil {
				return err
			}
		}
		a, b, ratios = append(a, speed[ours]), append(b, speed[keras]), append(ratios, speed[ours]/speed[keras])
		fmt.Printf("round %d: ours %.1f images/s, Keras %.1f, ratio %.2f\n", i+1, a[i], b[i], ratios[i])
	}
	m := turns.Median(ratios)
	fmt.Printf("median of %d rounds: ours %.1f images/s, Keras %.1f, ratio %.2f\n", rounds, turns.Median(a), turns.Median(b), m)
	if m < floor {
		return fmt.Errorf("w=%s: median ratio %.2f is below %.2f", w, m, floor)
	}
	return nil
}

// side is one of the two processes.
type side struct {
	*turns.Process
	name string
}

// start starts a process and waits until it is ready.
func start(cmd *exec.Cmd) (*side, error) {
	cmd.Stderr = os.Stderr
	process, err := turns.Start(cmd)
	if err != nil {
		return nil, err
	}
	line, err := process.Line()
	name, ready := strings.CutPrefix(line, "ready ")
	if err == nil && !ready {
		err = fmt.Errorf("%s printed %q", cmd.Path, line)
	}
	if err != nil {
		process.Stop()
		return nil, err
	}
	return &side{process, name}, nil
}

func (s *side) run(steps int) (imagesPerSecond float64, err error) {
	line, err := s.Ask(steps)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(line, 64)
}
