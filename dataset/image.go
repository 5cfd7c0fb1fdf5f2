package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// ImageLimits bounds what one image may take, all of it checked on the header before a pixel is decoded. A zero
// field stands for the default. No image may be wider or higher than 65,535 pixels, JPEG's own limit.
type ImageLimits struct {
	Pixels int   // width x height; default 40,000,000
	Bytes  int64 // of the file; default 64 MiB
	Memory int64 // bytes the decoder holds at most, by its pixel format; default 320 MiB, which is 40 million of the largest pixels
}

func (l ImageLimits) withDefaults() ImageLimits {
	if l.Pixels <= 0 {
		l.Pixels = 40_000_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 20
	}
	if l.Memory <= 0 {
		l.Memory = 320 << 20
	}
	return l
}

const maxSide = 1<<16 - 1

// format is one way to store an image. The table is closed on purpose: what other packages register with package image is
// not let in.
type format struct {
	name   string
	lossy  bool   // the pixels need not be those once put in; GIF has lost colours before
	magic  string // ? stands for any byte
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	peak   func(h *header, b []byte) int64 // bytes that decode holds at most, of the file b
}

var formatTable = []format{
	{"JPEG", true, "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode, peakJPEG},
	{"PNG", false, "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode, peakPNG},
	{"WebP", true, "RIFF????WEBP", webp.DecodeConfig, decodeWebP, peakWebP},
	{"GIF", true, "GIF8?a", gif.DecodeConfig, gif.Decode, peakGIF}, // Decode stops after the first frame
	{"BMP", false, "BM", bmp.DecodeConfig, bmp.Decode, func(h *header, _ []byte) int64 { return h.stored() }},
}

// decodeWebP is webp.Decode with the colours put right. Lossy WebP stores Y in 16..235 and Cb, Cr in 16..240 (ITU-R BT.601), and
// x/image hands these out as image.YCbCr, which means 0..255 (golang.org/issue/40173): white would come out as 235. The two
// have the same matrix, so that stretching the planes is all there is to do.
func decodeWebP(r io.Reader) (image.Image, error) {
	img, err := webp.Decode(r)
	var planes *image.YCbCr
	switch m := img.(type) {
	case *image.YCbCr:
		planes = m
	case *image.NYCbCrA:
		planes = &m.YCbCr
	default:
		return img, err
	}
	var luma, chroma [256]byte
	for v := range 256 {
		luma[v] = byte(min(max((float64(v)-16)*255/219+0.5, 0), 255))
		chroma[v] = byte(min(max((float64(v)-128)*255/224+128.5, 0), 255))
	}
	for i, v := range planes.Y {
		planes.Y[i] = luma[v]
	}
	for i := range planes.Cb {
		planes.Cb[i], planes.Cr[i] = chroma[planes.Cb[i]], chroma[planes.Cr[i]]
	}
	return img, err
}

// DecodeImage reads an image of any of the formats of the table: PNG, JPEG, WebP, BMP, or GIF, of which the first frame is taken as
// stored. It comes back upright: the orientation a JPEG's EXIF asks for has been applied. Gray, palette, 16-bit,
// CMYK and alpha are left for ToRGB. An error wraps ErrImage unless r itself failed.
func DecodeImage(r io.Reader, limits ImageLimits) (image.Image, error) {
	limits = limits.withDefaults()
	b, err := io.ReadAll(io.LimitReader(r, limits.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("dataset: reading an image: %w", err)
	}
	return decodeBytes(b, limits)
}

// DecodeImageFile is DecodeImage on the file at path. That there is no such file wraps ErrImage too.
func DecodeImageFile(path string, limits ImageLimits) (image.Image, error) {
	limits = limits.withDefaults()
	info, err := os.Stat(path)
	if err != nil {
		return nil, classify(ErrImage, err)
	}
	if !info.Mode().IsRegular() {
		return nil, refuseImage("%s is no file", path) // opening a pipe would wait for ever
	}
	if info.Size() > limits.Bytes {
		return nil, refuseImage("%s has %d bytes, more than %d", path, info.Size(), limits.Bytes)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, classify(ErrImage, err)
	}
	defer f.Close()
	b, err := readAll(f, info.Size(), limits.Bytes)
	if err != nil {
		return nil, within(path, classify(ErrImage, err))
	}
	img, err := decodeBytes(b, limits)
	return img, within(path, err)
}

func decodeBytes(b []byte, limits ImageLimits) (image.Image, error) {
	h, err := readHeader(b, limits)
	if err != nil {
		return nil, err
	}
	return h.decode(b)
}

// header is what is known of an image before it is decoded.
type header struct {
	format *format
	config image.Config
	jpeg   jpegInfo // of a JPEG
	memory int64    // bytes the decoder will hold at most
}

// readHeader finds the format of b and holds what the header claims to the limits.
func readHeader(b []byte, limits ImageLimits) (h header, err error) {
	if int64(len(b)) > limits.Bytes {
		return h, refuseImage("more than %d bytes", limits.Bytes)
	}
	for i := range formatTable {
		if hasMagic(b, formatTable[i].magic) {
			h.format = &formatTable[i]
		}
	}
	if h.format == nil {
		if len(b) == 0 {
			return h, refuseImage("empty")
		}
		return h, refuseImage("neither PNG nor JPEG, WebP, BMP or GIF")
	}
	err = h.guard(func() (err error) {
		h.config, err = h.format.config(bytes.NewReader(b))
		return err
	})
	if err != nil {
		return h, err
	}
	// DecodeConfig of some formats passes on a product or a sign of the header as it is.
	if w, hh := h.config.Width, h.config.Height; w < 1 || hh < 1 || w > maxSide || hh > maxSide || w > limits.Pixels/hh {
		return h, refuseImage("%s of %dx%d pixels: 1 to %d a side and %d in all are decoded", h.format.name, w, hh, maxSide, limits.Pixels)
	}
	if h.format.name == "JPEG" {
		h.jpeg = scanJPEG(b)
	}
	if h.memory = h.format.peak(&h, b); h.memory > limits.Memory {
		return h, refuseImage("%s of %dx%d pixels takes %d bytes to decode, more than %d",
			h.format.name, h.config.Width, h.config.Height, h.memory, limits.Memory)
	}
	if h.jpeg.progressive && h.jpeg.scans > maxScans {
		return h, refuseImage("JPEG of %d scans, more than %d", h.jpeg.scans, maxScans)
	}
	return h, nil
}

func hasMagic(b []byte, magic string) bool {
	if len(b) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != b[i] {
			return false
		}
	}
	return true
}

func (h *header) pixels() int64 { return int64(h.config.Width) * int64(h.config.Height) }

// stored is what the pixels take in the form that Go decodes them to by the header's colour model, bytes.
func (h *header) stored() int64 {
	if _, ok := h.config.ColorModel.(color.Palette); ok {
		return h.pixels()
	}
	switch h.config.ColorModel {
	case color.GrayModel:
		return h.pixels()
	case color.Gray16Model:
		return 2 * h.pixels()
	case color.RGBA64Model, color.NRGBA64Model:
		return 8 * h.pixels()
	}
	return 4 * h.pixels()
}

func peakJPEG(h *header, _ []byte) int64 {
	planes := int64(h.jpeg.samples * float64(h.pixels()))
	peak := planes
	if h.jpeg.progressive {
		peak += 4 * planes // the coefficients, an int32 a sample
	}
	switch h.config.ColorModel {
	case color.RGBAModel, color.CMYKModel: // made of the planes, beside them
		peak += 4 * h.pixels()
	}
	return peak
}

func peakPNG(h *header, b []byte) int64 {
	peak := h.stored()
	switch h.config.ColorModel {
	case color.GrayModel, color.Gray16Model:
		if pngTransparent(b) {
			peak *= 4 // gray becomes NRGBA
		}
	}
	const interlace = 28 // offset in IHDR, behind 8 bytes of magic and 8 of the chunk's head
	if len(b) > interlace && b[interlace] == 1 {
		peak += peak / 2 // the last pass has half the pixels
	}
	return peak
}

// peakWebP: an image without loss is RGBA, which a packed palette, of half the columns or fewer, is unpacked to; in an extended file the header does not
// tell it from one with loss, at 4:2:0. The alpha of one with loss is an image without, all of it, which may still be there when the
// colours come.
func peakWebP(h *header, b []byte) int64 {
	lossy, lossless := 3*h.pixels()/2, (4+2)*h.pixels()
	switch {
	case h.config.ColorModel == color.NYCbCrAModel:
		return lossless + lossy
	case h.config.ColorModel == color.YCbCrModel && !bytes.Contains(b, []byte("VP8L")):
		return lossy
	}
	return lossless
}

func peakGIF(h *header, _ []byte) int64 {
	return 2 * h.stored() // one that is interlaced is put in order in a copy
}

// pngTransparent reports a chunk of transparency before the pixels of a PNG.
func pngTransparent(b []byte) bool {
	const head, tail = 8, 4 // of a chunk: its length and kind before, its checksum behind
	for at := 8; at+head <= len(b); {
		length, kind := binary.BigEndian.Uint32(b[at:]), string(b[at+4:at+head])
		if kind == "tRNS" || kind == "IDAT" || int64(length) > int64(len(b)) {
			return kind == "tRNS"
		}
		at += head + int(length) + tail
	}
	return false
}

// decode returns the pixels, upright.
func (h *header) decode(b []byte) (img image.Image, err error) {
	err = h.guard(func() (err error) {
		img, err = h.format.decode(bytes.NewReader(b))
		return err
	})
	if err == nil && img.Bounds().Empty() {
		err = refuseImage("%s without pixels", h.format.name)
	}
	if err != nil {
		return nil, err
	}
	return orient(img, h.jpeg.orientation), nil
}

// guard makes a refusal of an error of a decoder, and of a panic: decoders of untrusted bytes have had them.
func (h *header) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = refuseImage("%s decoder: %v", h.format.name, r)
		}
	}()
	if err := f(); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if text := err.Error(); !strings.Contains(strings.ToLower(text), strings.ToLower(h.format.name)) {
			return refuseImage("%s: %w", h.format.name, err)
		}
		return &refusal{ErrImage, err}
	}
	return nil
}
