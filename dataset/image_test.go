package dataset

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// overWhite lists the colours a picture shows, over white, without going through ToRGB.
func overWhite(img image.Image) []byte {
	var out []byte
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, a := img.At(x, y).RGBA()
			for _, v := range []uint32{r, g, bl} {
				out = append(out, byte((v+0xffff-a)>>8))
			}
		}
	}
	return out
}

// levels is the largest difference between two arrays of bytes, 256 if they differ in length.
func levels(a, b []byte) int {
	if len(a) != len(b) {
		return 256
	}
	worst := 0
	for i := range a {
		worst = max(worst, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return worst
}

func solid(w, h int, c color.Color) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

func TestDecodeImageFormats(t *testing.T) {
	source := gradient(20, 13)
	as := func(to draw.Image) image.Image {
		draw.Draw(to, to.Bounds(), source, image.Point{}, draw.Src)
		return to
	}
	r := source.Rect
	gray, gray16 := as(image.NewGray(r)), as(image.NewGray16(r))
	paletted := as(image.NewPaletted(r, palette.Plan9)).(*image.Paletted)
	deep, half := image.NewNRGBA64(r), image.NewNRGBA(r)
	for y := range r.Dy() {
		for x := range r.Dx() {
			deep.SetNRGBA64(x, y, color.NRGBA64{R: uint16(x * 3000), G: uint16(y * 5000), B: 77, A: uint16(65535 - x*2000)})
			half.SetNRGBA(x, y, color.NRGBA{R: byte(x * 12), G: byte(y * 19), B: 200, A: byte(x * 13)})
		}
	}
	black := image.NewPaletted(r, palette.Plan9)
	animated := &gif.GIF{Image: []*image.Paletted{paletted, black}, Delay: []int{1, 1}}
	cmyk := func(c, m, y, k int) []byte { return flatJPEG(0xc0, 8, 8, 255-c, 255-m, 255-y, 255-k) }

	for _, test := range []struct {
		name string
		b    []byte
		want image.Image
		tol  int // levels
	}{
		{"png", pngBytes(source), source, 0},
		{"png gray", pngBytes(gray), gray, 0},
		{"png palette", pngBytes(paletted), paletted, 0},
		{"png 16-bit gray", pngBytes(gray16), gray16, 0},
		{"png 16-bit alpha", pngBytes(deep), deep, 1},
		{"png alpha", pngBytes(half), half, 1},
		{"bmp", bmpBytes(source), source, 0},
		{"gif, first frame", gifBytes(animated), paletted, 0},
		{"webp", webpBytes(5, 3, color.NRGBA{10, 20, 30, 255}), solid(5, 3, color.NRGBA{10, 20, 30, 255}), 0},
		{"webp alpha", webpBytes(5, 3, color.NRGBA{10, 20, 30, 128}), solid(5, 3, color.NRGBA{10, 20, 30, 128}), 1},
		{"jpeg", jpegBytes(solid(9, 8, color.NRGBA{200, 30, 90, 255})), solid(9, 8, color.NRGBA{200, 30, 90, 255}), 2},
		{"jpeg gray", flatJPEG(0xc0, 8, 8, 77), solid(8, 8, color.Gray{77}), 0},
		{"jpeg progressive", flatJPEG(0xc2, 8, 8, 77), solid(8, 8, color.Gray{77}), 0},
		{"jpeg cmyk, no ink", cmyk(0, 0, 0, 0), solid(8, 8, color.White), 0},
		{"jpeg cmyk, cyan", cmyk(255, 0, 0, 0), solid(8, 8, color.NRGBA{0, 255, 255, 255}), 0},
		{"jpeg cmyk, half black", cmyk(0, 0, 0, 128), solid(8, 8, color.Gray{127}), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			img, err := DecodeImage(bytes.NewReader(test.b), ImageLimits{})
			if err != nil {
				t.Fatal(err)
			}
			if img.Bounds().Size() != test.want.Bounds().Size() {
				t.Fatalf("%v, want %v", img.Bounds(), test.want.Bounds())
			}
			want := overWhite(test.want)
			if d := levels(overWhite(img), want); d > test.tol {
				t.Errorf("decoded up to %d levels away", d)
			}
			if d := levels(ToRGB(img, img.Bounds().Dy(), img.Bounds().Dx()), want); d > test.tol {
				t.Errorf("ToRGB up to %d levels away", d)
			}
		})
	}
}

// lossyAlphaWebP is 8x8 pixels of one colour, half transparent.
const lossyAlphaWebP = "UklGRl4AAABXRUJQVlA4WAoAAAAQAAAABwAABwAAQUxQSAoAAAABB1DAiAhERP8DVlA4IC4AAAAQAgCdASoIAAgAAMASJaACdLoB+AH4AAPIAP7nMP/63/1BAfp2f/U4MHPn4/wA"

// Lossy WebP, of one colour, made by libwebp 1.6.0 at quality 90; the colours are those libwebp decodes them to.
func TestLossyWebPColours(t *testing.T) {
	for _, test := range []struct {
		base64 string
		want   color.NRGBA
	}{
		{"UklGRiYAAABXRUJQVlA4IBoAAAAwAQCdASoIAAgAAMASJaQAA3AA/v7deAAAAA==", color.NRGBA{255, 255, 255, 255}},
		{"UklGRiYAAABXRUJQVlA4IBoAAAAwAQCdASoIAAgAAMASJaQAA3AA/v7uqgAAAA==", color.NRGBA{0, 0, 0, 255}},
		{"UklGRkAAAABXRUJQVlA4IDQAAAAwAgCdASoIAAgAAMASJaACdLoB+AH4AARoAAD++iGX/3easNN39a3/9aOfron+tHP/WVgA", color.NRGBA{255, 1, 0, 255}},
		{"UklGRjoAAABXRUJQVlA4IC4AAAAQAgCdASoIAAgAAMASJaACdLoB+AH4AAPIAP7nMP/63/1BAfp2f/U4MHPn4/wA", color.NRGBA{99, 151, 199, 255}},
		{lossyAlphaWebP, color.NRGBA{99, 151, 199, 128}},
	} {
		b, err := base64.StdEncoding.DecodeString(test.base64)
		if err != nil {
			t.Fatal(err)
		}
		img, err := DecodeImage(bytes.NewReader(b), ImageLimits{})
		if err != nil {
			t.Fatal(err)
		}
		got, want := ToRGB(img, 8, 8), overWhite(solid(8, 8, test.want))
		if d := levels(got, want); d > 1 {
			t.Errorf("%v comes out as %v", test.want, got[:3])
		}
	}
}

// pngClaim is a PNG that has a header and nothing else.
func pngClaim(w, h uint32, depth, colour, interlace byte) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, w), h)
	b = append(b, depth, colour, 0, 0, interlace)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestDecodeImageRefuses(t *testing.T) {
	picture := gradient(40, 30)
	whole := jpegBytes(picture)
	progressive := flatJPEG(0xc2, 8, 8, 77)
	manyScans := append(progressive[:len(progressive)-2:len(progressive)-2], bytes.Repeat([]byte{0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0}, 300)...)
	for _, test := range []struct {
		name, want string
		b          []byte
		limits     ImageLimits
	}{
		{"nothing", "empty", nil, ImageLimits{}},
		{"text", "neither", []byte("hello, world"), ImageLimits{}},
		{"2^31 pixels", "32768x65536", pngClaim(1<<15, 1<<16, 8, 2, 0), ImageLimits{}},
		{"2^31 - 1 wide", "2147483647x1 ", pngClaim(1<<31-1, 1, 8, 2, 0), ImageLimits{}},
		{"2^62 pixels", "png", pngClaim(1<<31-1, 1<<31-1, 8, 2, 0), ImageLimits{}},
		{"41 megapixels", "8000x5125", pngClaim(8000, 5125, 8, 0, 0), ImageLimits{}},
		{"a strip of 70000", "70000x1", pngClaim(70000, 1, 8, 0, 0), ImageLimits{}},
		{"16-bit and interlaced", "bytes to decode", pngClaim(8000, 5000, 16, 6, 1), ImageLimits{}},
		{"progressive of 40 megapixels", "bytes to decode", flatJPEG(0xc2, 8000, 5000, 1, 2, 3), ImageLimits{}},
		{"zero wide", "png", pngClaim(0, 5, 8, 2, 0), ImageLimits{}},
		{"jpeg of zero height", "JPEG", flatJPEG(0xc0, 8, 0, 1), ImageLimits{}},
		{"bmp of zero width", "bmp", bmpSize(0, 5), ImageLimits{}},
		{"header only", "PNG", pngClaim(5, 5, 8, 2, 0), ImageLimits{}},
		{"too long a file", "more than 100 bytes", whole, ImageLimits{Bytes: 100}},
		{"too many pixels", "1199", whole, ImageLimits{Pixels: 1199}},
		{"too many scans", "scans", manyScans, ImageLimits{}},
		{"too many scans, behind bytes passed over", "scans", behindStray(manyScans), ImageLimits{}},
		{"progressive, behind bytes passed over", "bytes to decode", behindStray(flatJPEG(0xc2, 8000, 5000, 1, 2, 3)), ImageLimits{}},
		{"progressive RGB of 22 megapixels", "bytes to decode", flatJPEG(0xc2, 5500, 4000, 1, 2, 3), ImageLimits{}},
		{"half a jpeg", "unexpected EOF", whole[:len(whole)/2], ImageLimits{}},
		{"jpeg cut in its last bytes", "JPEG", whole[:len(whole)-3], ImageLimits{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := DecodeImage(bytes.NewReader(test.b), test.limits)
			if !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q, want ErrImage with %q", err, test.want)
			}
		})
	}
}

// behindStray puts bytes that are no marker between the first two of a JPEG; decoders pass over them.
func behindStray(b []byte) []byte { return slices.Insert(bytes.Clone(b), 2, 0xff, 0x00, 'x') }

// bmpSize is a 24-bit BMP whose header claims the size.
func bmpSize(w, h uint32) []byte {
	b := bmpBytes(gradient(2, 2))
	binary.LittleEndian.PutUint32(b[18:], w)
	binary.LittleEndian.PutUint32(b[22:], h)
	return b
}

// Every truncation of every format is an error, down to the last byte that matters.
func TestDecodeImageTruncated(t *testing.T) {
	picture := gradient(24, 16)
	paletted := image.NewPaletted(picture.Rect, palette.Plan9)
	draw.Draw(paletted, paletted.Rect, picture, image.Point{}, draw.Src)
	for name, b := range map[string][]byte{
		"jpeg":             jpegBytes(picture),
		"progressive jpeg": flatJPEG(0xc2, 8, 8, 1, 2, 3),
		"png":              pngBytes(picture),
		"bmp":              bmpBytes(picture),
		"webp":             webpBytes(7, 7, color.NRGBA{1, 2, 3, 255}),
		"gif":              gifBytes(&gif.GIF{Image: []*image.Paletted{paletted}, Delay: []int{0}}),
	} {
		for n := range len(b) {
			// The last byte of the GIF is its trailer, that of the WebP only makes its length even.
			needless := n == len(b)-1 && (name == "gif" || name == "webp")
			if _, err := DecodeImage(bytes.NewReader(b[:n]), ImageLimits{}); !errors.Is(err, ErrImage) && !needless {
				t.Errorf("%s: the first %d of %d bytes: %v", name, n, len(b), err)
			}
		}
	}
}

func TestDecodeImageReadError(t *testing.T) {
	_, err := DecodeImage(iotest.ErrReader(fs.ErrPermission), ImageLimits{})
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrImage) {
		t.Errorf("error %v", err)
	}
}

func TestDecodeImageFile(t *testing.T) {
	good := writeFile(t, "a.png", pngBytes(gradient(3, 2)))
	img, err := DecodeImageFile(good, ImageLimits{})
	if err != nil || img.Bounds().Size() != image.Pt(3, 2) {
		t.Errorf("%v, %v", img, err)
	}
	for path, want := range map[string]error{
		good + ".missing":                                fs.ErrNotExist,
		t.TempDir():                                      ErrImage,
		writeFile(t, "b.png", []byte{1}):                 ErrImage,
		writeFile(t, "empty.png", nil):                   ErrImage,
		good + "/below":                                  ErrImage,
		writeFile(t, "long", pngBytes(gradient(99, 99))): ErrImage,
	} {
		_, err := DecodeImageFile(path, ImageLimits{Bytes: 500})
		if !errors.Is(err, ErrImage) || !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// Decoders are caught when they panic.
func TestDecoderPanics(t *testing.T) {
	h := &header{format: &format{name: "TEST", decode: func(io.Reader) (image.Image, error) { panic("ouch") }}}
	if _, err := h.decode(nil); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), "ouch") {
		t.Errorf("error %v", err)
	}
}

// 2,000 pictures with bytes changed, inserted or cut off: an image within the limits or ErrImage, nothing else.
func TestDecodeImageMutated(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seeds := imageSeeds()
	limits := ImageLimits{Pixels: 100_000, Bytes: 1 << 16}
	for i := range 2000 {
		b := bytes.Clone(seeds[i%len(seeds)])
		for range 1 + r.IntN(4) {
			at := r.IntN(len(b))
			switch r.IntN(4) {
			case 0:
				b[at] ^= 1 << r.IntN(8)
			case 1:
				b[at] = byte(r.Uint32())
			case 2:
				b = append(b[:at:at], append([]byte{byte(r.Uint32())}, b[at:]...)...)
			case 3:
				b = append(b[:at:at], b[min(len(b), at+1+r.IntN(8)):]...)
			}
			if len(b) == 0 {
				b = []byte{0}
			}
		}
		checkDecode(t, b, limits)
	}
}

// checkDecode holds DecodeImage and ToRGB to their promises on arbitrary bytes.
func checkDecode(t *testing.T, b []byte, limits ImageLimits) {
	img, err := DecodeImage(bytes.NewReader(b), limits)
	if err != nil {
		if !errors.Is(err, ErrImage) {
			t.Fatalf("error %v is no ErrImage", err)
		}
		return
	}
	size := img.Bounds().Size()
	if size.X < 1 || size.Y < 1 || size.X*size.Y > limits.Pixels {
		t.Fatalf("an image of %v came through", size)
	}
	if rgb := ToRGB(img, 5, 7); len(rgb) != 5*7*3 {
		t.Fatalf("ToRGB gave %d bytes", len(rgb))
	}
}

// imageSeeds has a small picture of every kind.
func imageSeeds() [][]byte {
	picture := gradient(12, 9)
	paletted := image.NewPaletted(picture.Rect, palette.Plan9)
	draw.Draw(paletted, paletted.Rect, picture, image.Point{}, draw.Src)
	return [][]byte{
		pngBytes(picture), pngBytes(paletted), pngBytes(image.NewNRGBA64(picture.Rect)),
		jpegBytes(picture), withEXIF(jpegBytes(picture), binary.BigEndian, 6),
		flatJPEG(0xc2, 8, 8, 1, 2, 3), flatJPEG(0xc0, 8, 8, 1, 2, 3, 4),
		bmpBytes(picture), gifBytes(&gif.GIF{Image: []*image.Paletted{paletted}, Delay: []int{0}}),
		webpBytes(9, 4, color.NRGBA{1, 2, 3, 4}),
	}
}

// The table of EXIF: which sides of the upright picture the stored row 0 and column 0 are.
var exifSides = []struct{ row0, col0 string }{
	1: {"top", "left"}, 2: {"top", "right"}, 3: {"bottom", "right"}, 4: {"bottom", "left"},
	5: {"left", "top"}, 6: {"right", "top"}, 7: {"right", "bottom"}, 8: {"left", "bottom"},
}

func TestOrientations(t *testing.T) {
	const w, h = 3, 2 // as stored
	stored := &image.Gray{Pix: []byte("abcdef"), Stride: w, Rect: image.Rect(0, 0, w, h)}
	moved := &image.Gray{Pix: stored.Pix, Stride: w, Rect: image.Rect(7, 5, 7+w, 5+h)}
	for o := 1; o <= 8; o++ {
		sides := exifSides[o]
		width, height := w, h
		if o >= 5 {
			width, height = h, w
		}
		for _, img := range []image.Image{orient(stored, o), orient(moved, o)} {
			min := img.Bounds().Min
			if img.Bounds().Size() != image.Pt(width, height) {
				t.Fatalf("orientation %d: %v", o, img.Bounds())
			}
			rgb := ToRGB(img, height, width)
			for sy := range h {
				for sx := range w {
					var x, y int
					for _, place := range []struct {
						side string
						at   int
					}{{sides.row0, sy}, {sides.col0, sx}} {
						switch place.side {
						case "top":
							y = place.at
						case "bottom":
							y = height - 1 - place.at
						case "left":
							x = place.at
						case "right":
							x = width - 1 - place.at
						}
					}
					want := stored.Pix[sy*w+sx]
					if got := color.GrayModel.Convert(img.At(min.X+x, min.Y+y)).(color.Gray).Y; got != want {
						t.Errorf("orientation %d: %c at %d,%d, want %c", o, got, x, y, want)
					}
					if got := rgb[(y*width+x)*3]; got != want {
						t.Errorf("orientation %d: ToRGB has %c at %d,%d, want %c", o, got, x, y, want)
					}
				}
			}
		}
	}
}

// A JPEG turned by its EXIF tag is the picture turned by hand, to the level at its own size and to two when it is resized.
func TestEXIFInJPEG(t *testing.T) {
	picture := jpegBytes(gradient(48, 32))
	plain, err := DecodeImage(bytes.NewReader(picture), ImageLimits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for o := range 10 {
			img, err := DecodeImage(bytes.NewReader(withEXIF(picture, order, o)), ImageLimits{})
			if err != nil {
				t.Fatal(err)
			}
			if stray, err := DecodeImage(bytes.NewReader(behindStray(withEXIF(picture, order, o))), ImageLimits{}); err != nil || stray.Bounds() != img.Bounds() {
				t.Errorf("orientation %d, behind bytes passed over: error %v", o, err)
			}
			v := orient(plain, o)
			turned := image.NewRGBA(v.Bounds())
			draw.Draw(turned, turned.Rect, v, image.Point{}, draw.Src)
			size := turned.Rect.Size()
			if img.Bounds().Size() != size {
				t.Fatalf("orientation %d: %v, want %v", o, img.Bounds(), size)
			}
			if !bytes.Equal(ToRGB(img, size.Y, size.X), ToRGB(turned, size.Y, size.X)) {
				t.Errorf("%v orientation %d: not the picture turned by hand", order, o)
			}
			if d := levels(ToRGB(img, 20, 11), ToRGB(turned, 20, 11)); d > 2 {
				t.Errorf("%v orientation %d: resized, %d levels away", order, o, d)
			}
		}
	}
}

func TestBrokenEXIFIsUpright(t *testing.T) {
	picture := jpegBytes(gradient(16, 8))
	whole := withEXIF(picture, binary.LittleEndian, 6)
	at := bytes.Index(whole, []byte("II*\x00"))
	for name, change := range map[string]func(b []byte){
		"byte order":               func(b []byte) { b[at] = 'X' },
		"directory beyond the end": func(b []byte) { binary.LittleEndian.PutUint32(b[at+4:], 1<<31) },
		"directory at the end":     func(b []byte) { binary.LittleEndian.PutUint32(b[at+4:], 37) },
		"tag of another type":      func(b []byte) { b[at+24] = 4 },
		"no entries":               func(b []byte) { b[at+8] = 0 },
	} {
		b := bytes.Clone(whole)
		change(b)
		img, err := DecodeImage(bytes.NewReader(b), ImageLimits{})
		if err != nil || img.Bounds().Size() != image.Pt(16, 8) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range at + 40 - 6 { // no cut of the segment may reach beyond it
		scanJPEG(whole[:n])
	}
	if o := scanJPEG(whole).orientation; o != 6 {
		t.Errorf("unbroken: %d", o)
	}
}

func TestSamplesPerPixel(t *testing.T) {
	for _, test := range []struct {
		factors []byte
		want    float64
	}{{[]byte{0x11}, 1}, {[]byte{0x11, 0x11, 0x11}, 3}, {[]byte{0x22, 0x11, 0x11}, 1.5}, {[]byte{0x21, 0x11, 0x11}, 2}, {nil, 0}} {
		frame := []byte{8, 0, 1, 0, 1, byte(len(test.factors))}
		for c, f := range test.factors {
			frame = append(frame, byte(c), f, 0)
		}
		if got := samplesPerPixel(frame); got != test.want {
			t.Errorf("% x: %v samples, want %v", test.factors, got, test.want)
		}
		if got := samplesPerPixel(frame[:len(frame)-1]); got != 0 {
			t.Errorf("% x cut off: %v samples", test.factors, got)
		}
	}
}

func ExampleToRGB() {
	var b bytes.Buffer
	png.Encode(&b, solid(640, 480, color.NRGBA{255, 0, 0, 128})) // half transparent red
	img, err := DecodeImage(&b, ImageLimits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ToRGB(img, 1, 2))
	// Output: [255 127 127 255 127 127]
}

// What a picture takes to decode is what Go's decoders really make of it.
func TestImageMemory(t *testing.T) {
	transparent := func(b []byte) []byte {
		chunk := append([]byte("\x00\x00\x00\x02tRNS"), 0, 0)
		return binary.BigEndian.AppendUint32(append(b, chunk...), crc32.ChecksumIEEE(chunk[4:]))
	}
	lossyAlpha, err := base64.StdEncoding.DecodeString(lossyAlphaWebP)
	if err != nil {
		t.Fatal(err)
	}
	chunk := webpBytes(10, 10, color.NRGBA{1, 2, 3, 255})[12:]
	extended := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x09\x00\x00"), chunk...)
	binary.LittleEndian.PutUint32(extended[4:], uint32(len(extended)-8))
	interlaced := new(bytes.Buffer)
	if err := gif.Encode(interlaced, image.NewPaletted(image.Rect(0, 0, 10, 10), color.Palette{color.Black, color.White}), nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		want int64
	}{
		"gray":                      {pngClaim(10, 10, 8, 0, 0), 100},
		"16-bit gray":               {pngClaim(10, 10, 16, 0, 0), 200},
		"gray, transparent":         {transparent(pngClaim(10, 10, 8, 0, 0)), 400},
		"16-bit gray, transparent":  {transparent(pngClaim(10, 10, 16, 0, 0)), 800},
		"palette, transparent":      {transparent(append(pngClaim(10, 10, 8, 3, 0), "\x00\x00\x00\x03PLTE\x00\x00\x00\xa7\x7a\x3d\xda"...)), 100},
		"colours":                   {pngClaim(10, 10, 8, 2, 0), 400},
		"colours and interlaced":    {pngClaim(10, 10, 8, 2, 1), 600},
		"GIF, perhaps interlaced":   {interlaced.Bytes(), 200},
		"JPEG":                      {jpegBytes(gradient(16, 16)), 384},
		"JPEG of RGB":               {flatJPEG(0xc0, 10, 10, 1, 2, 3), 700},
		"JPEG of RGB, progressive":  {flatJPEG(0xc2, 10, 10, 1, 2, 3), 1900},
		"JPEG of CMYK":              {flatJPEG(0xc0, 10, 10, 1, 2, 3, 4), 800},
		"WebP without loss":         {webpBytes(10, 10, color.NRGBA{1, 2, 3, 255}), 600},
		"WebP with loss and alpha":  {lossyAlpha, 480},
		"WebP, extended":            {extended, 600},
		"transparent behind pixels": {transparent(append(pngClaim(10, 10, 8, 0, 0), "\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e"...)), 100},
	} {
		h, err := readHeader(c.b, ImageLimits{}.withDefaults())
		if err != nil || h.memory != c.want {
			t.Errorf("%s: %d bytes, error %v; want %d", name, h.memory, err, c.want)
		}
	}
}
