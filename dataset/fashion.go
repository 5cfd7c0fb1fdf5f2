package dataset

import (
	"bytes"
	"context"
	"embed"
	"image"
	"image/png"
)

//go:generate go run ./internal/genfashion -out fashion

// fashion holds the pictures of fashion-mini and the licence they come under. A split is one gray PNG of 28 x 28 tiles, 100 a row, class
// by class in label order: six rows a class in train.png, one in test.png. Open the files in a viewer to see the data.
//
//go:embed fashion
var fashion embed.FS

// BuiltIn is the name of the images that every binary carries, for Open: a part of Fashion-MNIST.
const BuiltIn = "fashion-mini"

const (
	fashionSide = 28
	fashionCols = 100
)

// fashionClasses are the labels of Fashion-MNIST (Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
// Machine Learning Algorithms", 2017), in label order.
var fashionClasses = []string{
	"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
}

func openFashion(ctx context.Context, o Options) (*Set, error) {
	var splits [2]raw
	for i, file := range []string{"fashion/train.png", "fashion/test.png"} {
		b, err := fashion.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if splits[i], err = fashionTiles(b); err != nil {
			return nil, within(file, err)
		}
	}
	set := &Set{Name: BuiltIn, Classes: fashionClasses}
	return set, set.fill(ctx, o, splits[0], splits[1])
}

// fashionTiles cuts a mosaic into its pictures.
func fashionTiles(b []byte) (raw, error) {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return raw{}, refuse("%w", err)
	}
	mosaic, ok := img.(*image.Gray)
	rows := img.Bounds().Dy() / fashionSide
	if !ok || img.Bounds() != image.Rect(0, 0, fashionCols*fashionSide, rows*fashionSide) || rows%len(fashionClasses) != 0 {
		return raw{}, refuse("no mosaic of %d tiles of %d pixels a row", fashionCols, fashionSide)
	}
	r := raw{n: rows * fashionCols, h: fashionSide, w: fashionSide, c: 1}
	for i := range r.n {
		row, col := i/fashionCols, i%fashionCols
		for y := range fashionSide {
			at := mosaic.PixOffset(col*fashionSide, row*fashionSide+y)
			r.pixels = append(r.pixels, mosaic.Pix[at:at+fashionSide]...)
		}
		r.labels = append(r.labels, uint16(i*len(fashionClasses)/r.n))
	}
	return r, nil
}
