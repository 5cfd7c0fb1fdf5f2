package dataset

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/anthonynsimon/bild/transform"
)

// Strips must not be seen: the bits are those of bild on the whole image.
func TestToRGBEqualsBild(t *testing.T) {
	for _, size := range []image.Point{{33, 47}, {32, 90}, {90, 32}, {400, 1500}, {3, 2}, {1, 2000}, {65535, 9}} {
		img := gradient(size.X, size.Y)
		for _, to := range []image.Point{{32, 32}, {17, 40}} {
			got := ToRGB(img, to.Y, to.X)
			want := transform.Resize(img, to.X, to.Y, transform.Linear)
			for i := range to.X * to.Y {
				if !bytes.Equal(got[3*i:3*i+3], want.Pix[4*i:4*i+3]) {
					t.Fatalf("%v to %v: pixel %d is %v, bild has %v", size, to, i, got[3*i:3*i+3], want.Pix[4*i:4*i+3])
				}
			}
		}
	}
}

func TestToRGBPassesThrough(t *testing.T) {
	source := gradient(9, 6)
	for name, img := range map[string]draw.Image{
		"RGBA":   image.NewRGBA(source.Rect),
		"NRGBA":  image.NewNRGBA(source.Rect),
		"RGBA64": image.NewRGBA64(source.Rect),
		"moved":  image.NewRGBA(source.Rect.Add(image.Pt(-3, 8))),
	} {
		draw.Draw(img, img.Bounds(), source, image.Point{}, draw.Src)
		if !bytes.Equal(ToRGB(img, 6, 9), overWhite(source)) {
			t.Errorf("%s: other values than went in", name)
		}
	}
	part := source.SubImage(image.Rect(2, 1, 7, 5))
	if !bytes.Equal(ToRGB(part, 4, 5), overWhite(part)) {
		t.Error("part of an image: other values than went in")
	}
}

func TestToRGBAveragesDown(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range img.Pix {
		img.Pix[i] = byte(255 * ((i%64 + i/64) % 2)) // a checkerboard
	}
	for i, v := range ToRGB(img, 8, 8) {
		if v < 120 || v > 136 {
			t.Fatalf("value %d of the shrunk checkerboard is %d, want about 128", i, v)
		}
	}
}

func TestToRGBOfNothing(t *testing.T) {
	empty := image.NewRGBA(image.Rect(3, 3, 3, 9))
	if got := ToRGB(empty, 1, 2); !bytes.Equal(got, []byte{255, 255, 255, 255, 255, 255}) {
		t.Errorf("an image without pixels gives %v", got)
	}
	for _, size := range []image.Point{{0, 4}, {4, 0}, {-1, 4}, {-2, -2}} {
		if got := ToRGB(solid(2, 2, color.White), size.Y, size.X); len(got) != 0 {
			t.Errorf("%v: %d bytes", size, len(got))
		}
	}
}

// What bild does to GOMAXPROCS when it is linked in is undone.
func TestGOMAXPROCSIsTheUsers(t *testing.T) {
	const child = "MNET_TEST_GOMAXPROCS"
	want := strconv.Itoa(runtime.NumCPU() + 1)
	if os.Getenv(child) != "" {
		os.Stdout.WriteString("processors: " + strconv.Itoa(runtime.GOMAXPROCS(0)) + "\n")
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^TestGOMAXPROCSIsTheUsers$")
	command.Env = append(os.Environ(), child+"=1", "GOMAXPROCS="+want)
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "processors: "+want+"\n") {
		t.Errorf("GOMAXPROCS=%s gives %s, %v", want, out, err)
	}
}
