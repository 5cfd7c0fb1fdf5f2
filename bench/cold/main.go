// Cold compares whole processes that say what is in a picture, from start to end: mnet-edge infer built without cgo, and a
// Python script on LiteRT.
//
//	make bench-cold
//	go run ./bench/cold -binary bin/mnet-edge-static -python VENV/bin/python [-own] -model m.tflite [-image photo.png]
//
// The two take turns. What is printed is the median wall time and the largest resident memory of each, and the median of
// the rounds' ratios. The exit code is 1 when that is above -max, or the memory of mnet-edge above -mib.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"mnet-edge/bench/internal/turns"
	"mnet-edge/infer"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench/cold: ")
	binary := flag.String("binary", "bin/mnet-edge-static", "mnet-edge")
	python := flag.String("python", "python3", "Python with ai-edge-litert==2.3.0 and pillow")
	model := flag.String("model", "builtin/model.tflite", "`M.tflite`")
	own := flag.Bool("own", false, "-model is the one that mnet-edge carries: do not name it")
	picture := flag.String("image", "", "`FILE` (default: one of 320 x 240 pixels)")
	rounds := flag.Int("rounds", 20, "processes of each side, behind two that find files uncached and do not count")
	most := flag.Float64("max", 0.15, "highest ratio of wall times that passes")
	mib := flag.Float64("mib", 30, "most MiB that mnet-edge may take")
	flag.Parse()
	dir, err := os.MkdirTemp("", "bench-cold")
	if err != nil {
		log.Fatal(err)
	}
	if *picture == "" {
		*picture = filepath.Join(dir, "photo.png")
		err = draw(*picture)
	}
	if err == nil {
		err = absolute(binary, model, picture)
	}
	if err == nil {
		_, source, _, _ := runtime.Caller(0)
		ours := []string{*binary, "infer", *picture}
		if !*own {
			ours = []string{*binary, "infer", "--model", *model, *picture}
		}
		err = compare([]*side{
			{name: "mnet-edge infer", command: ours, dir: dir}, // away from any runs
			{name: "Python, LiteRT", command: []string{*python, filepath.Join(filepath.Dir(source), "litert.py"), *model, *picture}},
		}, *rounds, *most, *mib)
	}
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
}

func absolute(paths ...*string) (err error) {
	for _, p := range paths {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	return nil
}

// draw writes a picture.
func draw(path string) error {
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			img.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x * y / 300), 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return cmp.Or(png.Encode(f, img), f.Close())
}

// side is a command and what its processes took.
type side struct {
	name    string
	command []string
	dir     string
	took    []float64 // ms
	busy    []float64 // ms of processors: on a machine with other work, the fairer figure
	memory  float64   // MiB, the most of all
}

func (s *side) run() error {
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Dir = s.dir
	start := time.Now()
	out, err := cmd.CombinedOutput()
	s.took = append(s.took, float64(time.Since(start).Microseconds())/1e3)
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", s.name, err, out)
	}
	s.busy = append(s.busy, float64((cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Microseconds())/1e3)
	s.memory = max(s.memory, residentMiB(cmd.ProcessState))
	return nil
}

func compare(sides []*side, rounds int, most, mib float64) error {
	const uncounted = 2
	var ratios []float64
	for round := range rounds + uncounted {
		for i := range sides {
			if err := sides[(i+round)%len(sides)].run(); err != nil {
				return err
			}
		}
		if round < uncounted {
			for _, s := range sides {
				s.took, s.busy = nil, nil
			}
			continue
		}
		ratios = append(ratios, sides[0].took[round-uncounted]/sides[1].took[round-uncounted])
	}
	fmt.Printf("%d processors, %d rounds\n", runtime.NumCPU(), rounds)
	for _, s := range sides {
		slices.Sort(s.took)
		slices.Sort(s.busy)
		fmt.Printf("%-16s median %6.1f ms, least %6.1f; of processors %6.1f; at most %5.1f MiB\n",
			s.name, infer.Quantile(s.took, 50), s.took[0], infer.Quantile(s.busy, 50), s.memory)
	}
	ratio := turns.Median(ratios)
	fmt.Printf("ratio of wall times, median: %.3f\n", ratio)
	if ratio > most || sides[0].memory > mib {
		return fmt.Errorf("want a ratio of at most %.2f and %.0f MiB", most, mib)
	}
	return nil
}
