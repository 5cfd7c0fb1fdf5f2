package dataset

import (
	"image"
	"image/draw"
	"os"
	"runtime"
	"strconv"

	"github.com/anthonynsimon/bild/transform"
)

// bild sets GOMAXPROCS to the number of processors when it is linked in, over the user's GOMAXPROCS and a container's limit. This
// puts the runtime's own choice back.
func init() {
	if n, err := strconv.Atoi(os.Getenv("GOMAXPROCS")); err == nil && n > 0 {
		runtime.GOMAXPROCS(n)
		return
	}
	runtime.SetDefaultGOMAXPROCS()
}

// ToRGB brings img to (h, w, 3): alpha over white, as a page or a viewer shows it, then bild's linear filter, which averages
// when it makes smaller. An image that already has the size passes bit for bit; its proportions are not kept otherwise. 16-bit
// values keep their high byte. An image without pixels is white.
func ToRGB(img image.Image, h, w int) []byte {
	dst := make([]byte, max(0, h)*max(0, w)*3)
	fitRGB(dst, img, h, w)
	return dst
}

// fitRGB is ToRGB into dst, (h, w, 3).
func fitRGB(dst []byte, img image.Image, h, w int) {
	if h < 1 || w < 1 {
		return
	}
	o := 1
	stored := image.Pt(w, h)
	if v, ok := img.(*oriented); ok {
		img, o = v.Image, v.o
		if o >= 5 {
			stored = image.Pt(h, w)
		}
	}
	small := fit(img, stored.X, stored.Y)
	for y := range h {
		for x := range w {
			sx, sy := upright(o, x, y, stored.X, stored.Y)
			copy(dst[(y*w+x)*3:(y*w+x)*3+3], small.Pix[sy*small.Stride+sx*4:])
		}
	}
}

// stripPixels bounds the part of a large image that is held as RGBA at once: 1 MiB.
const stripPixels = 1 << 18

// fit resizes img to w x h, opaque. bild goes over rows first, then columns, and each row alone: so the rows can be done in strips,
// with the same bits as in one go and without a copy of the whole image.
func fit(img image.Image, w, h int) *image.RGBA {
	b := img.Bounds()
	if b.Empty() {
		return flatten(nil, image.Transparent, image.Rect(0, 0, w, h), false)
	}
	o, ok := img.(interface{ Opaque() bool })
	opaque := ok && o.Opaque()
	if b.Dx() == w && b.Dy() == h {
		return flatten(nil, img, b, opaque)
	}
	narrow := image.NewRGBA(image.Rect(0, 0, w, b.Dy()))
	rows := max(1, stripPixels/b.Dx())
	buf := make([]byte, 4*b.Dx()*min(rows, b.Dy())) // used again for each strip: beside a large image, the garbage would be larger
	for y := 0; y < b.Dy(); y += rows {
		strip := image.Rect(b.Min.X, b.Min.Y+y, b.Max.X, min(b.Min.Y+y+rows, b.Max.Y))
		part := transform.Resize(flatten(buf, img, strip, opaque), w, strip.Dy(), transform.Linear)
		copy(narrow.Pix[y*narrow.Stride:], part.Pix)
	}
	return transform.Resize(narrow, w, h, transform.Linear)
}

// flatten copies the part r of img, over white, to an opaque image that begins at 0, 0, in buf if there is one.
func flatten(buf []byte, img image.Image, r image.Rectangle, opaque bool) *image.RGBA {
	n := 4 * r.Dx() * r.Dy()
	if buf == nil {
		buf = make([]byte, n)
	}
	out := &image.RGBA{Pix: buf[:n], Stride: 4 * r.Dx(), Rect: image.Rect(0, 0, r.Dx(), r.Dy())}
	op := draw.Src
	if !opaque {
		for i := range out.Pix {
			out.Pix[i] = 0xff
		}
		op = draw.Over
	}
	draw.Draw(out, out.Rect, img, r.Min, op)
	return out
}

// bytesImage shows raw pixels of c = 1 or 3 bytes, (h, w, c), as an image.
func bytesImage(b []byte, h, w, c int) image.Image {
	if c == 1 {
		return &image.Gray{Pix: b, Stride: w, Rect: image.Rect(0, 0, w, h)}
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range h * w {
		copy(out.Pix[4*i:], b[3*i:3*i+3])
		out.Pix[4*i+3] = 0xff
	}
	return out
}
