// Thirdparty holds mnet-edge infer to LiteRT's Python interpreter over CIFAR-10's test images, with models of another maker:
//
//	make bench-thirdparty DATA=cifar10-images.zip [LIMIT=1000] [EPOCHS=5]
//	go run ./bench/thirdparty -binary bin/mnet-edge -litert VENV/bin/python [-delegate native] -data D [-mean M -std S] MODEL...
//
// Both sides see the same pixels, those that package dataset decodes: JPEG decoders differ. Each makes the model's input of
// them by its own arithmetic. What is printed is the number of images whose likeliest class is their label, on each side. The
// exit code is 1 where the two differ by more than -apart. Without models, those of make.py are made and taken.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"mnet-edge/dataset"
	"mnet-edge/report"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench/thirdparty: ")
	b := bench{}
	flag.StringVar(&b.binary, "binary", "bin/mnet-edge", "mnet-edge")
	flag.StringVar(&b.litert, "litert", "python3", "Python with ai-edge-litert==2.3.0")
	flag.StringVar(&b.delegate, "delegate", "auto", "as for infer; anything else that runs is an error")
	flag.StringVar(&b.data, "data", "cifar10", "as for infer")
	flag.IntVar(&b.limit, "limit", 0, "take `N` images, spread evenly over the test images; 0 is all")
	flag.StringVar(&b.mean, "mean", "0", "input = (pixel - `M`) / S")
	flag.StringVar(&b.std, "std", "255", "`S` above")
	apart := flag.Int("apart", 0, "most images by which the two sides may differ")
	tensorflow := flag.String("tensorflow", "python3", "Python with tensorflow-cpu==2.21.0, to make models")
	folder := flag.String("models", "bin/thirdparty", "`FOLDER` of the models that are made")
	epochs := flag.Int("epochs", 5, "of their training")
	trainImages := flag.Int("train-images", 0, "of their training; 0 is all")
	flag.Parse()
	set, err := dataset.Open(context.Background(), b.data, dataset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "bench-thirdparty")
	if err != nil {
		log.Fatal(err)
	}
	models := flag.Args()
	if len(models) == 0 {
		models, err = made(dir, set, *tensorflow, *folder, *epochs, *trainImages)
	}
	worst := 0
	if err == nil {
		worst, err = b.compare(dir, set, models)
	}
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
	if worst > *apart {
		log.Fatalf("the two sides differ by %d images", worst)
	}
}

// bench is what both sides are told.
type bench struct {
	binary, litert, delegate, data, mean, std string
	limit                                     int
}

// compare prints both sides' counts for each model, and returns the most by which they differ.
func (b bench) compare(dir string, set *dataset.Set, models []string) (worst int, err error) {
	split := set.Test.Limit(b.limit)
	pixels, labels, err := export(dir, "test", split)
	if err != nil {
		return 0, err
	}
	theirs, err := output(b.litert, append([]string{script("litert.py"), pixels, labels, b.mean, b.std}, models...)...)
	if err != nil {
		return 0, err
	}
	lines := strings.Split(strings.TrimSpace(string(theirs)), "\n")
	if len(lines) != len(models) {
		return 0, fmt.Errorf("LiteRT answered %q for %d models", lines, len(models))
	}
	fmt.Printf("%-28s %-8s %8s %10s %8s  %s\n", "model", "input", "LiteRT", "mnet-edge", "images", "ran on")
	for i, model := range models {
		var want int
		var kind string
		if _, err := fmt.Sscan(lines[i], &want, &kind); err != nil {
			return 0, fmt.Errorf("LiteRT answered %q: %w", lines[i], err)
		}
		r, err := b.ours(model)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", model, err)
		}
		if r.Accuracy.N != split.N {
			return 0, fmt.Errorf("%s: %d images, LiteRT had %d", model, r.Accuracy.N, split.N)
		}
		fmt.Printf("%-28s %-8s %8d %10d %8d  %s\n", filepath.Base(model), kind, want, r.Accuracy.Correct, split.N, r.Runtime.Where())
		worst = max(worst, want-r.Accuracy.Correct, r.Accuracy.Correct-want)
	}
	return worst, nil
}

// ours is what mnet-edge says about a model.
func (b bench) ours(model string) (r report.Infer, err error) {
	args := []string{"infer", "--model", model, "--data", b.data, "--limit", strconv.Itoa(b.limit), "--delegate", b.delegate, "--strict",
		"--mean", b.mean, "--std", b.std, "--json"}
	said, err := output(b.binary, args...)
	if err == nil {
		err = json.Unmarshal(said, &r)
	}
	return r, err
}

// made are the models of make.py.
func made(dir string, set *dataset.Set, python, folder string, epochs, images int) ([]string, error) {
	pixels, labels, err := export(dir, "train", set.Train.Limit(images))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, script("make.py"), pixels, labels, strconv.Itoa(epochs), folder)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("make.py: %w", err)
	}
	return filepath.Glob(filepath.Join(folder, "*.tflite"))
}

// export writes a split's pixels, (N, H, W, 3), and its labels, a byte each.
func export(dir, name string, split dataset.Split) (pixels, labels string, err error) {
	pixels, labels = filepath.Join(dir, name+".pixels"), filepath.Join(dir, name+".labels")
	if err := os.WriteFile(pixels, split.Pixels, 0o644); err != nil {
		return "", "", err
	}
	classes := make([]byte, split.N)
	for i := range classes {
		classes[i] = byte(split.Labels[i])
	}
	return pixels, labels, os.WriteFile(labels, classes, 0o644)
}

// script is the path of a file beside this one.
func script(name string) string {
	_, source, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(source), name)
}

func output(command string, args ...string) ([]byte, error) {
	var errs bytes.Buffer
	cmd := exec.Command(command, args...)
	cmd.Stderr = &errs
	b, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, errs.String())
	}
	return b, nil
}
