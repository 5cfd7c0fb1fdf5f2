package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
)

// maxScans bounds the scans of a progressive JPEG. Encoders write about ten; a file of thousands is made to keep the decoder busy,
// since a scan of a few bytes may go over the whole image.
const maxScans = 256

// jpegInfo is what a walk over a JPEG's segments tells of it. The zero value is that of a file it can make nothing of.
type jpegInfo struct {
	orientation int // EXIF's, 1..8; 0 if there is none
	progressive bool
	samples     float64 // values a pixel, over all components: 3 for 4:4:4, 1.5 for 4:2:0
	scans       int     // start-of-scan markers, and what looks like them in metadata
}

// scanJPEG walks the segments before the first scan (ITU-T T.81, annex B) as the decoder does, which passes over what is no marker: what
// the walk did not see would not be held to the limits. It goes no further than b and refuses nothing: if the file is broken, the decoder
// says so.
func scanJPEG(b []byte) (info jpegInfo) {
	info.scans = bytes.Count(b, []byte{0xff, 0xda})
	for at := 2; at+4 <= len(b); {
		marker := b[at+1]
		switch {
		case b[at] != 0xff || marker == 0xff: // no marker, or fill
			at++
			continue
		case marker == 0xda || marker == 0xd9: // start of scan, end of image
			return info
		case marker == 0x00 || marker >= 0xd0 && marker <= 0xd7: // an escaped ff, or a restart: no length, no content
			at += 2
			continue
		}
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		if n < 2 || at+2+n > len(b) {
			return info
		}
		content := b[at+4 : at+2+n]
		switch {
		case marker == 0xe1 && info.orientation == 0:
			if tiff, ok := bytes.CutPrefix(content, []byte("Exif\x00\x00")); ok {
				info.orientation = tiffOrientation(tiff)
			}
		case marker >= 0xc0 && marker <= 0xc2:
			info.progressive = marker == 0xc2
			info.samples = samplesPerPixel(content)
		}
		at += 2 + n
	}
	return info
}

// samplesPerPixel reads the sampling factors of a frame header: precision, height (2), width (2), components, then three bytes
// a component, the second being horizontal and vertical factor, 4 bits each.
func samplesPerPixel(frame []byte) float64 {
	if len(frame) < 6 || len(frame) < 6+3*int(frame[5]) {
		return 0
	}
	var sum, maxH, maxV int
	for c := range int(frame[5]) {
		h, v := int(frame[6+3*c+1]>>4), int(frame[6+3*c+1]&15)
		sum += h * v
		maxH, maxV = max(maxH, h), max(maxV, v)
	}
	return float64(sum) / float64(max(1, maxH*maxV))
}

// tiffOrientation reads tag 0x0112 of the first directory of a TIFF structure, which is what EXIF is (JEITA CP-3451, 4.6). Whatever
// is wrong with it means 1, upright: an orientation is a hint, and a broken hint no reason to refuse the picture.
func tiffOrientation(b []byte) int {
	const upright = 1
	if len(b) < 8 {
		return upright
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(b[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return upright
	}
	entries := b[at+2:]
	const entry, orientationTag, short = 12, 0x0112, 3 // bytes an entry: tag (2), type (2), count (4), value (4)
	for range order.Uint16(b[at:]) {
		if len(entries) < entry {
			break
		}
		if order.Uint16(entries) == orientationTag && order.Uint16(entries[2:]) == short {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			break
		}
		entries = entries[entry:]
	}
	return upright
}

// oriented shows an image the way its EXIF orientation asks for. Only ToRGB looks below it, to turn the small result instead of the
// large original.
type oriented struct {
	image.Image
	o int // 2..8
}

func orient(img image.Image, o int) image.Image {
	if o < 2 || o > 8 {
		return img
	}
	return &oriented{img, o}
}

// Bounds begin at 0, 0; orientations from 5 on lie on their side.
func (v *oriented) Bounds() image.Rectangle {
	b := v.Image.Bounds()
	if v.o >= 5 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

func (v *oriented) At(x, y int) color.Color {
	b := v.Image.Bounds()
	if !image.Pt(x, y).In(v.Bounds()) {
		return color.RGBA{}
	}
	sx, sy := upright(v.o, x, y, b.Dx(), b.Dy())
	return v.Image.At(b.Min.X+sx, b.Min.Y+sy)
}

// upright returns where in the stored image, w x h, the pixel shown at x, y lies. EXIF says of each orientation which side of
// the picture the stored row 0 and column 0 are: 1 top left, 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6 right top,
// 7 right bottom, 8 left bottom.
func upright(o, x, y, w, h int) (sx, sy int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return y, h - 1 - x
	case 7:
		return w - 1 - y, h - 1 - x
	case 8:
		return w - 1 - y, x
	}
	return x, y
}
