// Command native compares the native engine with TFLite's XNNPACK delegate: one image a call, the sessions
// taking turns, so that a change of the machine's speed meets all of them.
//
//	go run -tags tflite ./bench/native                   net D at widths 0.25 and 1, random weights
//	go run -tags tflite ./bench/native -model m.tflite   another model
//
// The Makefile says how to build with the TFLite library; without the tag, the families of native are compared.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/klauspost/cpuid/v2"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/native"
	"mnet-edge/model"
)

func main() {
	log.SetFlags(0)
	file := flag.String("model", "", "a .tflite `file` instead of the random networks")
	rounds := flag.Int("rounds", 40, "turns of each session")
	calls := flag.Int("calls", 50, "calls a turn, of which the first is not counted")
	threads := flag.Int("threads", 1, "threads of each session; with more than one, native also on one")
	portable := flag.Bool("portable", false, "also the portable kernels")
	flag.Parse()
	models, err := load(*file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s; load %s; %d turns of %d calls\n", cpuid.CPU.BrandName, load1(), *rounds, *calls)
	for _, m := range models {
		runners := peers()
		for i := range runners {
			runners[i].threads = *threads
		}
		if *threads > 1 {
			runners = append(runners, runner{"native, 1 thread", native.New(native.Options{}), native.Name, 1})
		}
		runners = append(runners, runner{"native", native.New(native.Options{}), native.Name, *threads})
		if *portable {
			runners = append(runners, runner{"portable", native.New(native.Options{Family: native.Portable}), native.Name, *threads})
		}
		if err := compare(m, runners, *rounds, *calls); err != nil {
			log.Fatalf("%s: %v", m.name, err)
		}
	}
}

// load1 is the machine's load, where it says.
func load1() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(b))[0]
}

type namedModel struct {
	name string
	file []byte
}

func load(path string) ([]namedModel, error) {
	if path != "" {
		b, err := os.ReadFile(path)
		return []namedModel{{path, b}}, err
	}
	var ms []namedModel
	for _, width := range []float64{0.25, 1} {
		spec := model.DefaultSpec(model.NetD)
		spec.Width = width
		b, err := infertest.Model(spec, infertest.Int8, 1)
		if err != nil {
			return nil, err
		}
		ms = append(ms, namedModel{spec.Name(), b})
	}
	return ms, nil
}

// runner is a runtime with a delegate.
type runner struct {
	name     string
	runtime  infer.Runtime
	delegate string
	threads  int
}

// apart is how many steps two int8 answers are apart where they are most.
func apart(a, b []byte) (most int) {
	for i := range a {
		d := int(int8(a[i])) - int(int8(b[i]))
		most = max(most, d, -d)
	}
	return most
}

// compare prints what each runner takes, the ratio of the medians to the first's, and how far its int8 answer is from the
// first's.
func compare(m namedModel, runners []runner, rounds, calls int) error {
	sessions, took := make([]infer.Session, len(runners)), make([][]float64, len(runners))
	var answers [][]byte
	for i, r := range runners {
		s, err := r.runtime.Open(m.file, infer.Options{Delegate: r.delegate, Threads: r.threads})
		if err != nil {
			return err
		}
		defer s.Close()
		in, out := make([]byte, s.Input().Type.Bytes()), make([]byte, s.Output().Type.Bytes())
		source := rand.NewChaCha8([32]byte{1})
		source.Read(in)
		if err := errors.Join(s.Write(in), s.Invoke(), s.Read(out)); err != nil {
			return err
		}
		sessions[i], answers = s, append(answers, out)
	}
	for round := range rounds {
		for k := range sessions {
			i := k
			if round%2 == 1 {
				i = len(sessions) - 1 - k
			}
			for call := range calls {
				start := time.Now()
				if err := sessions[i].Invoke(); err != nil {
					return err
				}
				if d := time.Since(start); call > 0 {
					took[i] = append(took[i], float64(d.Nanoseconds())/1e3)
				}
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tp10 us\tp50 us\tp99 us\tratio\tsteps apart\t\n", m.name)
	var first float64
	for i, r := range runners {
		slices.Sort(took[i])
		at := func(percent int) float64 { return took[i][(len(took[i])-1)*percent/100] }
		if i == 0 {
			first = at(50)
		}
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t%.3f\t%d\t\n",
			r.name, at(10), at(50), at(99), at(50)/first, apart(answers[i], answers[0]))
	}
	return w.Flush()
}
