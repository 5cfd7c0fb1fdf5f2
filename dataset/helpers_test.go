package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
)

// tree is a set of files by slash-separated path; a path that ends in / is a folder.
type tree map[string][]byte

func (tr tree) folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range tr {
		path := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else if err == nil {
			err = os.WriteFile(path, content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (tr tree) zip() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(tr)) {
		w, err := z.Create(name)
		if err != nil {
			panic(err)
		}
		w.Write(tr[name])
	}
	z.Close()
	return b.Bytes()
}

func (tr tree) tarGz() []byte { return gzipped(tr.tar()) }

func (tr tree) tar() []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(tr)) {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(tr[name])), Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		w.WriteHeader(h)
		w.Write(tr[name])
	}
	w.Close()
	return b.Bytes()
}

// below returns the tree put below a folder.
func (tr tree) below(folder string) tree {
	out := tree{folder + "/": nil}
	for name, content := range tr {
		out[folder+"/"+name] = content
	}
	return out
}

func writeFile(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// idx makes an IDX file of bytes.
func idx(values []byte, dims ...int) []byte {
	b := []byte{0, 0, idxByte, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, values...)
}

// cifarRecords makes records of the given labels; the pixels of record i in plane c at p are i + 50c + p.
func cifarRecords(labels ...byte) []byte {
	var b []byte
	for i, label := range labels {
		b = append(b, label)
		for c := range 3 {
			for p := range cifarPlane {
				b = append(b, byte(i+50*c+p))
			}
		}
	}
	return b
}

// gradient is an opaque picture in which every pixel differs from its neighbours.
func gradient(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{byte(x*7 + y), byte(y*5 + 3*x), byte(x ^ y), 255})
		}
	}
	return img
}

func pngBytes(img image.Image) []byte {
	return encoded(func(b *bytes.Buffer) error { return png.Encode(b, img) })
}
func jpegBytes(img image.Image) []byte {
	return encoded(func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 95}) })
}
func bmpBytes(img image.Image) []byte {
	return encoded(func(b *bytes.Buffer) error { return bmp.Encode(b, img) })
}
func gifBytes(g *gif.GIF) []byte {
	return encoded(func(b *bytes.Buffer) error { return gif.EncodeAll(b, g) })
}

func encoded(f func(*bytes.Buffer) error) []byte {
	var b bytes.Buffer
	if err := f(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// bitWriter packs bits from the lowest on, as WebP does.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(v, n int) {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

// webpBytes makes a lossless WebP of one colour: five prefix codes of one symbol each, so that no pixel takes a bit.
func webpBytes(w, h int, c color.NRGBA) []byte {
	var bits bitWriter
	bits.put(0x2f, 8)
	bits.put(w-1, 14)
	bits.put(h-1, 14)
	bits.put(1, 1) // alpha is used
	bits.put(0, 3) // version
	bits.put(0, 3) // no transform, no colour cache, no groups of prefix codes
	for _, symbol := range []byte{c.G, c.R, c.B, c.A, 0} {
		bits.put(1, 1) // simple code
		bits.put(0, 1) // of one symbol
		bits.put(1, 1) // of 8 bits
		bits.put(int(symbol), 8)
	}
	for len(bits.b)%2 == 1 {
		bits.b = append(bits.b, 0)
	}
	b := []byte("RIFF____WEBPVP8L____")
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8+len(bits.b)))
	binary.LittleEndian.PutUint32(b[16:], uint32(len(bits.b)))
	return append(b, bits.b...)
}

// flatJPEG makes a JPEG of one block of one colour, a value a component. frame is the marker of the frame: 0xc0 baseline, 0xc2
// progressive. Four components are CMYK, inverted as Adobe has it.
func flatJPEG(frame byte, w, h int, values ...int) []byte {
	b := []byte{0xff, 0xd8}
	segment := func(marker byte, content ...byte) {
		b = append(b, 0xff, marker, byte((len(content)+2)>>8), byte(len(content)+2))
		b = append(b, content...)
	}
	segment(0xee, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 0)...)
	segment(0xdb, append([]byte{0, 8}, bytes.Repeat([]byte{1}, 63)...)...) // a DC coefficient of 1 is a level of 1
	components := []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), byte(len(values))}
	scan := []byte{byte(len(values))}
	for c := range values {
		components = append(components, byte(c+1), 0x11, 0)
		scan = append(scan, byte(c+1), 0)
	}
	segment(frame, components...)
	segment(0xc4, append([]byte{0x00, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)...)
	segment(0xc4, append([]byte{0x10, 1}, make([]byte, 15+1)...)...) // AC: the one code 0 means end of block
	last := byte(63)
	if frame == 0xc2 {
		last = 0
	}
	segment(0xda, append(scan, 0, last, 0)...)

	var bits []byte
	put := func(v, n int) {
		for i := n - 1; i >= 0; i-- {
			bits = append(bits, byte(v>>i&1))
		}
	}
	for _, v := range values {
		diff, size := v-128, 0
		for abs := max(diff, -diff); abs>>size > 0; size++ {
		}
		put(size, 4)
		if diff < 0 {
			diff += 1<<size - 1
		}
		put(diff, size)
		if frame != 0xc2 {
			put(0, 1)
		}
	}
	for len(bits)%8 != 0 {
		bits = append(bits, 1)
	}
	for i := 0; i < len(bits); i += 8 {
		v := byte(0)
		for _, bit := range bits[i : i+8] {
			v = v<<1 | bit
		}
		b = append(b, v)
		if v == 0xff {
			b = append(b, 0)
		}
	}
	return append(b, 0xff, 0xd9)
}

// withEXIF puts an APP1 segment that asks for the orientation behind a JPEG's first marker.
func withEXIF(b []byte, order binary.AppendByteOrder, orientation int) []byte {
	tiff := []byte("II*\x00")
	if order.String() == binary.BigEndian.String() {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	tiff = append(order.AppendUint16(order.AppendUint16(tiff, 0x010f), 2), 1, 0, 0, 0, 'x', 0, 0, 0) // Make
	tiff = order.AppendUint32(order.AppendUint16(order.AppendUint16(tiff, 0x0112), 3), 1)
	tiff = append(order.AppendUint16(tiff, uint16(orientation)), 0, 0)
	tiff = order.AppendUint32(tiff, 0)
	content := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, byte((len(content)+2)>>8), byte(len(content)+2))
	return slices.Concat(out, content, b[2:])
}
