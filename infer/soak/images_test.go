package soak

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/bmp"

	"mnet-edge/dataset"
)

// Mutated pictures, under the limits that infer has: an image or ErrImage, within 400 MB.
func TestImages(t *testing.T) {
	needProc(t)
	seeds := pictures(t)
	decoded, refused := 0, 0
	n := amount(500, 5000)
	for i := range n {
		b := mutatedPicture(seeds[i%len(seeds)], uint64(i))
		img, err := dataset.DecodeImage(bytes.NewReader(b), dataset.ImageLimits{})
		switch {
		case errors.Is(err, dataset.ErrImage):
			refused++
			continue
		case err != nil:
			t.Fatalf("picture %d: error %v is no ErrImage", i, err)
		}
		decoded++
		if rgb := dataset.ToRGB(img, 32, 32); len(rgb) != 32*32*3 {
			t.Fatalf("picture %d: %d bytes", i, len(rgb))
		}
	}
	peak := statusMB(t, "self", "VmHWM")
	if peak > 400 {
		t.Errorf("memory %.0f MB, at most 400", peak)
	}
	t.Logf("%d mutated pictures: %d decoded, %d refused; memory %.0f MB", n, decoded, refused, peak)
}

// pictures are small ones of every format that the standard library and x/image write.
func pictures(t *testing.T) [][]byte {
	t.Helper()
	box := image.Rect(0, 0, 37, 23)
	rgba, gray, deep := image.NewNRGBA(box), image.NewGray(box), image.NewNRGBA64(box)
	coloured := image.NewPaletted(box, palette.Plan9)
	for y := range box.Dy() {
		for x := range box.Dx() {
			c := color.NRGBA{uint8(x * 7), uint8(y * 11), uint8(x * y), uint8(255 - x)}
			rgba.Set(x, y, c)
			gray.Set(x, y, c)
			deep.Set(x, y, c)
			coloured.Set(x, y, c)
		}
	}
	var all [][]byte
	for _, encode := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return png.Encode(b, rgba) },
		func(b *bytes.Buffer) error { return png.Encode(b, gray) },
		func(b *bytes.Buffer) error { return png.Encode(b, deep) },
		func(b *bytes.Buffer) error { return png.Encode(b, coloured) },
		func(b *bytes.Buffer) error { return jpeg.Encode(b, rgba, nil) },
		func(b *bytes.Buffer) error { return jpeg.Encode(b, gray, nil) },
		func(b *bytes.Buffer) error { return gif.Encode(b, coloured, nil) },
		func(b *bytes.Buffer) error { return bmp.Encode(b, rgba) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Bytes())
	}
	return all
}

// mutatedPicture changes a few bytes, one in four in the header, where sizes are.
func mutatedPicture(whole []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	b := bytes.Clone(whole)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(b))
		if r.IntN(4) == 0 {
			at = r.IntN(min(64, len(b)))
		}
		switch r.IntN(5) {
		case 0, 1:
			b[at] ^= 1 << r.IntN(8)
		case 2:
			b[at] = byte(r.Uint32())
		case 3:
			b = append(b[:at:at], b[min(len(b), at+r.IntN(8)):]...)
		case 4:
			b = append(b[:at:at], append([]byte{0xff, byte(r.Uint32())}, b[at:]...)...)
		}
		if len(b) == 0 {
			b = []byte{0}
		}
	}
	return b
}
