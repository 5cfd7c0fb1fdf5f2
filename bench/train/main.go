// Train compares the training step of net D with Keras' on the same machine:
//
//	go run ./bench/train -python VENV/bin/python [-width 1,0.25] [-batch 128] [-rounds 5] [-plugin FILE] [-min 1]
//	go run ./bench/train -loop ...
//	go run ./bench/train -against 1 [-devices 2] [-preset fast] ...
//
// For each width, both run in processes of their own that compile and warm up first. Then they take turns, one working while the
// other waits, so that a machine that drifts or is shared treats both alike. Each round gives a ratio, ours over Keras'; their
// median is the result. The exit code is 1 when one of the medians is below -min. Both do SGD with momentum and weight decay, which
// is preset seed's rule; the fast preset's rule for matrices, Muon, has no counterpart in Keras.
//
// With -loop our side is the whole loop of training: each batch is another one, shuffled, cropped and mirrored by the loader while the step before it
// runs. Keras' side stays the step alone, over one batch.
//
// With -against N the other side is ours too, on N of XLA's devices: what sharing each batch among several brings.
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
	"mnet-edge/infer"
	"mnet-edge/model"
	"mnet-edge/train"
)

// ours is what our side runs.
type ours struct {
	width          float64
	batch, devices int
	preset, plugin string
	loop           bool
}

func main() {
	python := flag.String("python", "python3", "Python with tensorflow-cpu==2.21.0")
	widths := flag.String("width", "1,0.25", "width multipliers of net D")
	rounds := flag.Int("rounds", 5, "rounds")
	seconds := flag.Float64("seconds", 5, "time for each side of a round, about")
	floor := flag.Float64("min", 1, "lowest median ratio that passes")
	against := flag.Int("against", 0, "compare with ours on so many of XLA's devices, not with Keras")
	serve := flag.Bool("serve", false, "be our side: for each line N on standard input run N steps and print images a second")
	var o ours
	flag.IntVar(&o.batch, "batch", 128, "images a step")
	flag.IntVar(&o.devices, "devices", 0, "of XLA's that share each batch (0: as many as the program takes)")
	flag.StringVar(&o.preset, "preset", train.PresetSeed, "the recipe of our side")
	flag.BoolVar(&o.loop, "loop", false, "our side makes its batches, as in training")
	flag.StringVar(&o.plugin, "plugin", "", "PJRT plugin of XLA for CPUs (default: looked for as the program does)")
	flag.Parse()
	var errs []error
	for _, s := range strings.Split(*widths, ",") {
		var err error
		if o.width, err = strconv.ParseFloat(s, 64); err == nil && *serve {
			err = o.serve()
		} else if err == nil {
			other := keras(*python, o)
			if *against > 0 {
				peer := o
				peer.devices = *against
				other = peer.command()
			}
			err = compare(o, other, *rounds, *seconds, *floor)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "bench/train:", err)
		os.Exit(1)
	}
}

// serve is our side.
func (o ours) serve() error {
	spec := model.DefaultSpec(model.NetD)
	spec.Width = o.width
	b, err := train.NewStepBench(train.Config{
		Spec: spec, Preset: o.preset, Batch: o.batch, Backend: train.BackendXLA, Plugin: o.plugin, Devices: o.devices,
	}, o.loop)
	if err != nil {
		return err
	}
	defer b.Close()
	what := map[bool]string{true: "whole loop", false: "step alone"}[o.loop]
	fmt.Printf("ready mnet-edge, GoMLX on XLA, %s, preset %s, %s, %d devices, %d parameters\n", runtime.Version(), o.preset, what, b.Devices(), spec.Counts().Total)
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

// command starts this program as our side.
func (o ours) command() *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		return &exec.Cmd{Err: err}
	}
	return exec.Command(self, "-serve", "-width", fmt.Sprint(o.width), "-batch", strconv.Itoa(o.batch), "-devices", strconv.Itoa(o.devices),
		"-preset", o.preset, "-plugin", o.plugin, "-loop="+strconv.FormatBool(o.loop))
}

func keras(python string, o ours) *exec.Cmd {
	_, source, _, _ := runtime.Caller(0)
	return exec.Command(python, filepath.Join(filepath.Dir(source), "keras_step.py"), fmt.Sprint(o.width), strconv.Itoa(o.batch))
}

// warmUp is the number of steps before any is timed. The first ones take their memory from the system, which training does once.
const warmUp = 12

func compare(o ours, other *exec.Cmd, rounds int, seconds, floor float64) error {
	peer, err := turns.Start(other)
	if err != nil {
		return fmt.Errorf("starting the other side: %w", err)
	}
	defer peer.Stop()
	own, err := turns.Start(o.command())
	if err != nil {
		return err
	}
	defer own.Stop()

	fmt.Printf("training step of net D, w=%v, batch %d, on %d processors\n  ours:  %s\n  other: %s\n", o.width, o.batch, runtime.NumCPU(), own.Name, peer.Name)
	steps := map[*turns.Process]int{}
	for _, s := range []*turns.Process{own, peer} {
		if _, err := imagesPerSecond(s, warmUp); err != nil {
			return err
		}
		speed, err := imagesPerSecond(s, 3)
		if err != nil {
			return err
		}
		steps[s] = max(3, int(seconds*speed/float64(o.batch)))
	}
	var a, b, ratios []float64
	for i := range rounds {
		speed := map[*turns.Process]float64{}
		order := []*turns.Process{own, peer}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if speed[s], err = imagesPerSecond(s, steps[s]); err != nil {
				return err
			}
		}
		a, b, ratios = append(a, speed[own]), append(b, speed[peer]), append(ratios, speed[own]/speed[peer])
		fmt.Printf("round %d: ours %.1f images/s, the other %.1f, ratio %.2f\n", i+1, a[i], b[i], ratios[i])
	}
	m := turns.Median(ratios)
	slices.Sort(a)
	slices.Sort(b)
	fmt.Printf("median of %d rounds: ours %.1f images/s, the other %.1f, ratio %.2f\n", rounds, infer.Quantile(a, 50), infer.Quantile(b, 50), m)
	if m < floor {
		return fmt.Errorf("w=%v: median ratio %.2f is below %.2f", o.width, m, floor)
	}
	return nil
}

// imagesPerSecond is what a side's process answers when it is asked for so many steps.
func imagesPerSecond(side *turns.Process, steps int) (float64, error) {
	answer, err := side.Ask(steps)
	if err == nil && len(answer) != 1 {
		err = fmt.Errorf("%s answered %v", side.Name, answer)
	}
	if err != nil {
		return 0, err
	}
	return answer[0], nil
}
