package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"image"
	"os"
	"slices"
	"testing"
)

// The embedded files and what they decode to, as the generator made them from Debian's package.
const (
	fashionTrainPNG = "9baf84347939e96b25dc3a940582002b82996a7a4d654bdab5ec34e587cc1a21"
	fashionTestPNG  = "3e19541c9dc25582ca840e0d399a36418772f8c39b5a2609c5508211720633c8"
	fashionSHA256   = "5c7b2dd112f277b66cd99d9b76f945f8bf99dd0a94464f97828b9cace5eed413"
)

func TestFashionMini(t *testing.T) {
	for file, want := range map[string]string{"fashion/train.png": fashionTrainPNG, "fashion/test.png": fashionTestPNG} {
		b, err := fashion.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s has sha256 %x", file, sum)
		}
	}
	if _, err := fashion.ReadFile("fashion/LICENSE"); err != nil {
		t.Error("the licence is missing:", err)
	}

	s := mustOpen(t, "fashion-mini", Options{})
	if s.SHA256 != fashionSHA256 {
		t.Errorf("the images have sha256 %s", s.SHA256)
	}
	if s.Name != "fashion-mini" || len(s.Classes) != 10 || s.Classes[9] != "Ankle boot" || s.Lossy == "" {
		t.Errorf("%s, %q, %q", s.Name, s.Classes, s.Lossy)
	}
	for _, part := range []struct {
		split   *Split
		n, each int
	}{{&s.Train, 6000, 600}, {&s.Test, 1000, 100}} {
		counts, err := s.count(part.split)
		if err != nil || part.split.N != part.n || slices.ContainsFunc(counts, func(n int) bool { return n != part.each }) {
			t.Errorf("%d images, a class %v, %v", part.split.N, counts, err)
		}
	}
}

// The splits of fashion-mini share no image.
func TestFashionMiniDisjoint(t *testing.T) {
	s := mustOpen(t, "fashion-mini", Options{Size: 28})
	train := make(map[string]bool)
	for i := range s.Train.N {
		train[string(s.Train.Image(i))] = true
	}
	for i := range s.Test.N {
		if train[string(s.Test.Image(i))] {
			t.Errorf("test image %d is also a training image", i)
		}
	}
}

// TestFashionMiniFromSource finds every image of fashion-mini in Fashion-MNIST itself: the middle one of each ten of its class.
func TestFashionMiniFromSource(t *testing.T) {
	folder := os.Getenv("MNET_FASHION")
	if folder == "" {
		t.Skip("MNET_FASHION does not name the folder of Fashion-MNIST's IDX files")
	}
	whole, mini := mustOpen(t, folder, Options{}), mustOpen(t, "fashion-mini", Options{})
	for _, part := range [][2]*Split{{&whole.Train, &mini.Train}, {&whole.Test, &mini.Test}} {
		var index []int
		for class := range whole.Classes {
			nth := 0
			for i, label := range part[0].Labels {
				if int(label) == class {
					if nth%10 == 5 {
						index = append(index, i)
					}
					nth++
				}
			}
		}
		picked := part[0].pick(index)
		if !slices.Equal(picked.Labels, part[1].Labels) || !slices.Equal(picked.Pixels, part[1].Pixels) {
			t.Error("fashion-mini is not what is picked from the source")
		}
	}
}

func TestFashionTilesRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"no png":       []byte("text"),
		"colour":       pngBytes(gradient(2800, 280)),
		"another size": pngBytes(image.NewGray(image.Rect(0, 0, 2800, 281))),
		"nine rows":    pngBytes(image.NewGray(image.Rect(0, 0, 2800, 252))),
	} {
		if _, err := fashionTiles(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
