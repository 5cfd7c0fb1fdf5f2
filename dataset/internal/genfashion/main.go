// Command genfashion makes the embedded data set fashion-mini from Fashion-MNIST: of every class each tenth image, 600 for training and
// 100 for test, as one mosaic a split (package dataset, fashion.go, has the layout).
//
//	go run ./dataset/internal/genfashion -out dataset/fashion
//
// takes the images from Debian's package dataset-fashion-mnist, by apt-get and dpkg, without installing it. -from DIR takes the
// folder of the four IDX files instead. Either way the source is refused if its pixels or labels are not those of the package.
// The pixels written are always the same; so are the bytes, as long as compress/flate is (recorded with Go 1.26).
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"mnet-edge/atomicfile"
	"mnet-edge/dataset"
)

const (
	debian = "dataset-fashion-mnist"
	side   = 28  // pixels
	every  = 10  // one image of ten
	cols   = 100 // tiles a row

	// sourceSHA256 is dataset.Set.SHA256 of all 70,000 images at 28 x 28.
	sourceSHA256 = "e3aff41b0f36c9174eb433346d1a4110b9c18d7169347de2f5fabd26832fe181"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("genfashion: ")
	from := flag.String("from", "", "folder of Fashion-MNIST's IDX files (default: Debian's package "+debian+")")
	out := flag.String("out", ".", "folder to write train.png and test.png to")
	flag.Parse()
	if err := run(*from, *out); err != nil {
		log.Fatal(err)
	}
}

func run(from, out string) error {
	if from == "" {
		temp, err := os.MkdirTemp("", "genfashion")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		if from, err = unpackDebian(temp); err != nil {
			return err
		}
	}
	set, err := dataset.Open(context.Background(), from, dataset.Options{Size: side})
	if err != nil {
		return err
	}
	if set.SHA256 != sourceSHA256 {
		return fmt.Errorf("%s: sha256 of the images is %s, want %s", from, set.SHA256, sourceSHA256)
	}
	for name, split := range map[string]*dataset.Split{"train.png": &set.Train, "test.png": &set.Test} {
		b, err := mosaic(split, len(set.Classes))
		if err != nil {
			return err
		}
		if err := atomicfile.WriteFile(filepath.Join(out, name), b); err != nil {
			return err
		}
	}
	return nil
}

// unpackDebian fetches the package into dir and returns the folder of its IDX files.
func unpackDebian(dir string) (string, error) {
	for _, line := range []string{"apt-get download " + debian, "dpkg -x " + debian + "_*.deb ."} {
		command := exec.Command("sh", "-c", line)
		command.Dir = dir
		command.Stdout, command.Stderr = os.Stderr, os.Stderr
		if err := command.Run(); err != nil {
			return "", fmt.Errorf("%s: %w (on another system, pass -from with the folder of the IDX files)", line, err)
		}
	}
	return filepath.Join(dir, "usr/share/datasets/fashion-mnist"), nil
}

// mosaic lays out every tenth image of each class, the middle ones of each ten, class by class.
func mosaic(s *dataset.Split, classes int) ([]byte, error) {
	picks := make([][]int, classes)
	seen := make([]int, classes)
	for i, label := range s.Labels {
		if seen[label]%every == every/2 {
			picks[label] = append(picks[label], i)
		}
		seen[label]++
	}
	img := image.NewGray(image.Rect(0, 0, cols*side, s.N/every/cols*side))
	tile := 0
	for _, class := range picks {
		for _, i := range class {
			rgb := s.Image(i)
			for y := range side {
				at := img.PixOffset(tile%cols*side, tile/cols*side+y)
				for x := range side {
					img.Pix[at+x] = rgb[(y*side+x)*3]
				}
			}
			tile++
		}
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err := encoder.Encode(&b, img)
	return b.Bytes(), err
}
