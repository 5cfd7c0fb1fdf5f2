package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"mnet-edge/bench/internal/turns"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/litert"
	"mnet-edge/model"
)

// plan is what is compared, and how often.
type plan struct {
	delegate             string
	threads              int
	width                float64
	starts, turns, calls int
	peer                 []string
}

func main() {
	log.SetFlags(0)
	var p plan
	flag.StringVar(&p.delegate, "delegate", "xnnpack", "our side: xnnpack, none or litert")
	flag.IntVar(&p.threads, "threads", 1, "of both sides")
	flag.Float64Var(&p.width, "width", 1, "of net D")
	flag.IntVar(&p.starts, "starts", 20, "of both sides: where memory happens to lie is worth a few per cent")
	flag.IntVar(&p.turns, "turns", 8, "of either side, each start")
	flag.IntVar(&p.calls, "calls", 256, "a turn: the first of a turn finds the other side's data in the caches, and is not to be among the slowest hundredth")
	only := flag.String("kind", "", "int8 or float only")
	flag.Usage = func() {
		log.Printf("usage: overhead [flags] PEER [ARG...]   run as PEER ARG... MODEL INPUT THREADS")
		flag.PrintDefaults()
	}
	flag.Parse()
	if p.peer = flag.Args(); len(p.peer) == 0 || min(p.starts, p.turns, p.calls) < 1 {
		flag.Usage()
		os.Exit(2)
	}
	for _, kind := range []infertest.Kind{infertest.Int8, infertest.Float} {
		if *only == "" || *only == kind.String() {
			if err := p.compare(kind); err != nil {
				log.Fatalf("overhead: %v", err)
			}
		}
	}
}

// compare prints the two sides' times and their ratios for net D with random weights.
func (p plan) compare(kind infertest.Kind) error {
	spec := model.DefaultSpec(model.NetD)
	spec.Width = p.width
	file, err := infertest.Model(spec, kind, 1)
	if err != nil {
		return err
	}
	var all times
	var other string
	for range p.starts {
		took, name, err := p.start(kind, file)
		if err != nil {
			return err
		}
		for side := range all {
			all[side] = append(all[side], took[side]...)
		}
		other = name
	}
	ratio := func(percent int) float64 { return all.p(0, percent) / all.p(1, percent) }
	fmt.Printf("%s, %s, %d threads, %d calls each: p50 %.1f µs, from %s %.1f: ratio %.3f, turn by turn %.3f; p99 %.1f, %.1f: ratio %.3f, turn by turn %.3f; p10: ratio %.3f\n",
		kind, p.delegate, p.threads, len(all[0]), all.p(0, 50), other, all.p(1, 50), ratio(50), all.paired(p.calls, 50),
		all.p(0, 99), all.p(1, 99), ratio(99), all.paired(p.calls, 99), ratio(10))
	return nil
}

// start opens both sides, sees that they compute the same, and lets them take turns.
func (p plan) start(kind infertest.Kind, file []byte) (took times, other string, err error) {
	_, session, err := infer.Open(append(ours(), litert.New()), file, infer.Options{Delegate: p.delegate, Threads: p.threads})
	if err != nil {
		return took, "", err
	}
	defer session.Close()
	input := randomInput(kind, session.Input().Type.Bytes())
	if err := session.Write(input); err != nil {
		return took, "", err
	}
	dir, err := os.MkdirTemp("", "overhead")
	if err != nil {
		return took, "", err
	}
	defer os.RemoveAll(dir)
	paths := []string{filepath.Join(dir, "model.tflite"), filepath.Join(dir, "input")}
	if err := errors.Join(os.WriteFile(paths[0], file, 0o644), os.WriteFile(paths[1], input, 0o644)); err != nil {
		return took, "", err
	}
	peer, err := turns.Start(exec.Command(p.peer[0], slices.Concat(p.peer[1:], paths, []string{fmt.Sprint(p.threads)})...))
	if err != nil {
		return took, "", err
	}
	defer peer.Stop()
	mine := func(n int) ([]float64, error) { return infer.Times(session, n) }
	if _, err := mine(100); err != nil {
		return took, "", err
	}
	if err := sameAnswer(session, peer.Answer); err != nil {
		return took, "", err
	}
	took, err = alternate(mine, peer.Times, p.turns, p.calls)
	return took, peer.Name, err
}

func randomInput(kind infertest.Kind, n int) []byte {
	in := make([]byte, n)
	if kind == infertest.Int8 { // of floats, zeros take as long as any
		r := rand.New(rand.NewPCG(1, 1))
		for i := range in {
			in[i] = byte(r.Uint32())
		}
	}
	return in
}

func sameAnswer(s infer.Session, answer []byte) error {
	out := make([]byte, s.Output().Type.Bytes())
	if err := s.Read(out); err != nil {
		return err
	}
	if !bytes.Equal(out, answer) {
		return fmt.Errorf("the two sides do not compute the same: %x, %x", out, answer)
	}
	return nil
}

// times are the calls of both sides, turn after turn.
type times [2][]float64

func alternate(a, b func(n int) ([]float64, error), turns, calls int) (times, error) {
	var t times
	sides := [2]func(n int) ([]float64, error){a, b}
	for turn := range turns {
		for i := range sides {
			side := (i + turn) % 2
			took, err := sides[side](calls)
			if err != nil {
				return t, err
			}
			t[side] = append(t[side], took...)
		}
	}
	return t, nil
}

// p is a side's quantile.
func (t times) p(side, percent int) float64 {
	return infer.Quantile(slices.Sorted(slices.Values(t[side])), percent)
}

// paired is the median of the ratios of the sides' quantiles in each turn.
func (t times) paired(calls, percent int) float64 {
	var ratios []float64
	for at := 0; at < len(t[0]); at += calls {
		turn := times{t[0][at : at+calls], t[1][at : at+calls]}
		ratios = append(ratios, turn.p(0, percent)/turn.p(1, percent))
	}
	return turns.Median(ratios)
}
