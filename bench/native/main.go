// Command native compares the native engine with XNNPACK, that of LiteRT (in Python) and that of the TFLite library:
//
//	make bench-native                                       net D at widths 1 and 0.25, random weights
//	make bench-native MODELS='runs/D-001=0.65 m.tflite'     trained ones; fails where p50 is more than 0.65 of LiteRT's
//	bin/bench-native -threads 2                             two threads, one, and two sessions of one at once
//
// It makes one image a call. All sides live for a whole comparison and take turns of some calls, so that a machine that
// drifts or is shared treats them alike; the first call of a turn finds the caches cold and is not counted. Without the
// tag tflite, or without -python, there is one peer less.
//
//	bin/bench-native -python .venv-litert/bin/python -tensors cifar10.zip MODELS    where LiteRT's results differ, instead
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/klauspost/cpuid/v2"
	"gonum.org/v1/gonum/stat"

	"mnet-edge/bench/internal/turns"
	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/native"
	"mnet-edge/model"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench/native: ")
	python := flag.String("python", "", "Python with ai-edge-litert==2.3.0")
	rounds := flag.Int("rounds", 40, "turns of each side")
	calls := flag.Int("calls", 50, "calls a turn, of which the first is not counted")
	threads := flag.Int("threads", 1, "threads of each side; with more than one, native also on one, and as many sessions of one at once")
	family := flag.String("family", "", "kernels of native (default: the fastest)")
	all := flag.Bool("families", false, "also native's other families")
	pictures := flag.String("tensors", "", "instead of times, print which operators' results LiteRT's XNNPACK has otherwise than graph/interp, for images of this CIFAR-10 `archive`")
	flag.Parse()
	dir, err := os.MkdirTemp("", "bench-native")
	if err != nil {
		log.Fatal(err)
	}
	err = run(dir, options{*python, *rounds, *calls, *threads, native.Family(*family), *all, *pictures})
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
}

type options struct {
	python                 string
	rounds, calls, threads int
	family                 native.Family
	families               bool
	pictures               string
}

func run(dir string, o options) error {
	models, err := load(dir, flag.Args())
	if err != nil {
		return err
	}
	if o.pictures != "" {
		return tensors(dir, models, o.python, o.pictures)
	}
	fmt.Printf("%s, %d processors, load %s; %d turns of %d calls, of 1 image, threads: %d\n",
		cpuid.CPU.BrandName, runtime.NumCPU(), load1(), o.rounds, o.calls, o.threads)
	var slow []error
	for _, m := range models {
		if err := compare(dir, m, o); err != nil {
			slow = append(slow, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	fmt.Printf("load %s\n", load1())
	return errors.Join(slow...)
}

// load1 is the machine's load, where it says.
func load1() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(b))[0]
}

// namedModel is a .tflite and the most that native's median may be of the first peer's, 0 for any.
type namedModel struct {
	name, file string
	limit      float64
}

// load finds the models named: a .tflite or the folder of a run, then perhaps =RATIO.
func load(dir string, names []string) ([]namedModel, error) {
	var ms []namedModel
	for _, name := range names {
		path, limit, limited := strings.Cut(name, "=")
		m := namedModel{name: path, file: path}
		if limited {
			var err error
			if m.limit, err = strconv.ParseFloat(limit, 64); err != nil {
				return nil, err
			}
		}
		if info, err := os.Stat(path); err != nil {
			return nil, err
		} else if info.IsDir() {
			m.file = filepath.Join(path, "int8.tflite")
		}
		ms = append(ms, m)
	}
	if ms != nil {
		return ms, nil
	}
	for _, width := range []float64{1, 0.25} {
		spec := model.DefaultSpec(model.NetD)
		spec.Width = width
		b, err := infertest.Model(spec, infertest.Int8, 1)
		if err != nil {
			return nil, err
		}
		m := namedModel{name: spec.Name() + ", random weights", file: filepath.Join(dir, spec.Name()+".tflite")}
		if err := os.WriteFile(m.file, b, 0o644); err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// runners are the peers, then native; of a model, they are compared with the first.
func (o options) runners() []runner {
	var rs []runner
	if o.python != "" {
		rs = append(rs, liteRT(o.python, o.threads))
	}
	rs = append(rs, tfliteRunners(o.threads)...)
	own := func(name string, f native.Family, threads int) {
		rs = append(rs, inProcess(name, native.New(native.Options{Family: f}), native.Name, threads))
	}
	if o.families {
		for _, f := range native.Families() {
			own("native, "+string(f), f, o.threads)
		}
	}
	if o.threads > 1 {
		own("native, 1 thread", o.family, 1)
		one := native.New(native.Options{Family: o.family})
		rs = append(rs, together("native, 1 thread", one, native.Name, o.threads))
	}
	own("native", o.family, o.threads)
	return rs
}

// compare prints what each side takes and how its times and int8 answers compare with the first's. The ratio of medians
// is taken turn by turn; what is printed is its median. With threads, a line says what they are worth, and could be.
func compare(dir string, m namedModel, o options) error {
	runners := o.runners()
	input, err := randomInput(dir, m.file)
	if err != nil {
		return err
	}
	sides, took := make([]side, len(runners)), make([][]float64, len(runners))
	medians, means := make([][]float64, len(runners)), make([][]float64, len(runners)) // of turns
	for i, r := range runners {
		if sides[i], err = r.open(m.file, input); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		defer sides[i].close()
	}
	for round := range o.rounds {
		for k := range sides {
			i := k
			if round%2 == 1 {
				i = len(sides) - 1 - k
			}
			t, err := sides[i].turn(o.calls)
			if err != nil {
				return fmt.Errorf("%s: %w", runners[i].name, err)
			}
			t = t[1:]
			slices.Sort(t)
			took[i] = append(took[i], t...)
			medians[i] = append(medians[i], infer.Quantile(t, 50))
			means[i] = append(means[i], stat.Mean(t, nil))
		}
	}
	for _, t := range took {
		slices.Sort(t)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tp10 us\tp50 us\tp99 us\tratio p50\tratio p99\tsteps apart\t\n", m.name)
	var ratio float64
	for i, r := range runners {
		if _, independent := sides[i].(atOnce); independent { // its times are means
			continue
		}
		ratios := make([]float64, o.rounds)
		for round := range ratios {
			ratios[round] = medians[i][round] / medians[0][round]
		}
		ratio = turns.Median(ratios)
		p := func(percent int) float64 { return infer.Quantile(took[i], percent) }
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t%.3f\t%.3f\t%.0f\t\n", r.name, p(10), p(50), p(99),
			ratio, p(99)/infer.Quantile(took[0], 99), infertest.Apart(graph.Int8, sides[i].answer(), sides[0].answer(), 1))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if o.threads > 1 { // the last three of runners
		last := means[len(means)-3:]
		fmt.Println(scaling(o.threads, last[0], last[1], last[2]))
	}
	if m.limit > 0 && ratio > m.limit {
		return fmt.Errorf("p50 is %.3f of %s's: want at most %.3f", ratio, runners[0].name, m.limit)
	}
	return nil
}

// randomInput writes a file of an input for the model.
func randomInput(dir, model string) (file string, err error) {
	b, err := os.ReadFile(model)
	if err != nil {
		return "", err
	}
	g, err := infer.Decode(b)
	if err != nil {
		return "", err
	}
	in := make([]byte, g.Inputs[0].Type.Bytes())
	source := rand.NewChaCha8([32]byte{1})
	source.Read(in)
	file = filepath.Join(dir, "input.bin")
	return file, os.WriteFile(file, in, 0o644)
}
