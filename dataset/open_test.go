package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func mustOpen(t *testing.T, data string, o Options) *Set {
	t.Helper()
	s, err := Open(t.Context(), data, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// each way a tree can be handed over.
func sources(t *testing.T, tr tree) map[string]string {
	return map[string]string{
		"folder":            tr.folder(t),
		"folder in another": tr.below("wrapper").folder(t),
		"zip":               writeFile(t, "data.zip", tr.zip()),
		"zip, wrapped":      writeFile(t, "data.zip", tr.below("wrapper").zip()),
		"tar.gz":            writeFile(t, "data.tar.gz", tr.tarGz()),
		"zip by a bad name": writeFile(t, "data.png", tr.below("a").below("b").zip()),
	}
}

func classTree() tree {
	tr := tree{"README.txt": []byte("not looked at"), "train/.DS_Store": []byte("nor this"), "train/cat/Icon\r": nil, "__MACOSX/train/x/y": nil}
	for c, class := range []string{"cat", "cat-b", "dog"} {
		for i := range 3 {
			tr[fmt.Sprintf("train/%s/%d.png", class, i)] = pngBytes(solid(32, 32, color.NRGBA{byte(10 * c), byte(i), 1, 255}))
		}
		tr["test/"+class+"/0.png"] = pngBytes(solid(32, 32, color.NRGBA{byte(10 * c), 100, 2, 255}))
	}
	return tr
}

func TestOpenClassFolders(t *testing.T) {
	var hash string
	for kind, path := range sources(t, classTree()) {
		t.Run(kind, func(t *testing.T) {
			var calls []int
			s := mustOpen(t, path, Options{Progress: func(done, total int) { calls = append(calls, done, total) }})
			if !slices.Equal(s.Classes, []string{"cat", "cat-b", "dog"}) {
				t.Errorf("classes %q", s.Classes)
			}
			if s.Train.N != 9 || s.Test.N != 3 || s.Train.H != 32 || s.Test.W != 32 || s.Lossy != "" {
				t.Errorf("%d + %d images of %dx%d, %q", s.Train.N, s.Test.N, s.Test.W, s.Train.H, s.Lossy)
			}
			for i := range s.Train.N {
				name := fmt.Sprintf("train/%s/%d.png", s.Classes[i/3], i%3)
				want := []byte{byte(10 * (i / 3)), byte(i % 3), 1}
				if s.Train.Names[i] != name || int(s.Train.Labels[i]) != i/3 || !bytes.Equal(s.Train.Image(i)[:3], want) {
					t.Errorf("image %d is %s of class %d, %v", i, s.Train.Names[i], s.Train.Labels[i], s.Train.Image(i)[:3])
				}
			}
			if s.Test.Names[1] != "test/cat-b/0.png" || s.Test.Labels[2] != 2 || s.Test.Image(2)[0] != 20 {
				t.Errorf("test: %v %v", s.Test.Names, s.Test.Labels)
			}
			if hash == "" {
				hash = s.SHA256
			}
			if s.SHA256 != hash || len(hash) != 64 {
				t.Errorf("sha256 %s, from another source %s", s.SHA256, hash)
			}
			if !slices.Equal(calls, []int{12, 12}) {
				t.Errorf("progress %v", calls)
			}
			if strings.HasSuffix(path, ".zip") && s.Name != "data" {
				t.Errorf("name %q", s.Name)
			}
		})
	}
}

func TestOpenOneSplit(t *testing.T) {
	for _, keep := range []string{"train", "test"} {
		tr := classTree()
		maps.DeleteFunc(tr, func(name string, _ []byte) bool { return !strings.HasPrefix(name, keep) })
		s := mustOpen(t, tr.folder(t), Options{})
		if wantTrain, wantTest := map[string]int{"train": 9}[keep], map[string]int{"test": 3}[keep]; s.Train.N != wantTrain || s.Test.N != wantTest {
			t.Errorf("only %s: %d + %d images", keep, s.Train.N, s.Test.N)
		}
		if len(s.Classes) != 3 || s.Test.H != 32 || s.Train.W != 32 {
			t.Errorf("only %s: classes %v, %dx%d", keep, s.Classes, s.Test.H, s.Train.W)
		}
		if _, val := s.Holdout(1, 3); val.N != min(3, s.Train.N) {
			t.Errorf("only %s: Holdout gives %d", keep, val.N)
		}
	}
}

func TestLossy(t *testing.T) {
	small, large := gradient(16, 8), gradient(32, 32)
	for _, test := range []struct {
		images map[string][]byte
		want   string
	}{
		{map[string][]byte{"a": pngBytes(large), "b": bmpBytes(large)}, ""},
		{map[string][]byte{"a": jpegBytes(large), "b": pngBytes(large)}, "decoded from JPEG"},
		{map[string][]byte{"a": jpegBytes(small), "b": webpBytes(32, 32, color.NRGBA{})}, "decoded from JPEG, WebP; resized from 16x8"},
		{map[string][]byte{"a": pngBytes(small), "b": pngBytes(gradient(8, 16))}, "resized from several sizes"},
	} {
		tr := make(tree)
		for name, b := range test.images {
			tr["train/c/"+name] = b
		}
		if s := mustOpen(t, tr.folder(t), Options{}); s.Lossy != test.want {
			t.Errorf("Lossy is %q, want %q", s.Lossy, test.want)
		}
	}
}

func TestOpenSize(t *testing.T) {
	picture := gradient(48, 48)
	path := tree{"train/c/a.png": pngBytes(picture)}.folder(t)
	for _, size := range []int{1, 28, 48, 96} {
		s := mustOpen(t, path, Options{Size: size})
		if s.Train.H != size || s.Train.W != size || !bytes.Equal(s.Train.Pixels, ToRGB(picture, size, size)) {
			t.Errorf("size %d: %dx%d, or not what ToRGB makes", size, s.Train.W, s.Train.H)
		}
	}
	for _, size := range []int{-1, 1025} {
		if _, err := Open(t.Context(), path, Options{Size: size}); !errors.Is(err, ErrData) {
			t.Errorf("size %d: error %v", size, err)
		}
	}
}

// linked folders and files count as what they lead to.
func TestOpenFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(classTree().folder(t), "test"), filepath.Join(dir, "test")); err != nil {
		t.Skip("this system makes no links:", err)
	}
	if s := mustOpen(t, dir, Options{}); s.Test.N != 3 {
		t.Errorf("%d images", s.Test.N)
	}
	loop := t.TempDir()
	if err := os.Symlink(loop, filepath.Join(loop, "train")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), loop, Options{}); !errors.Is(err, ErrData) {
		t.Errorf("a folder that holds itself: %v", err)
	}
}

func cifarTree() tree {
	tr := tree{
		"batches.meta.txt": []byte("zero\none\ntwo\n\n"),
		"readme.html":      []byte("<html>"),
		"test_batch.bin":   cifarRecords(2, 0),
	}
	for i := range 5 {
		tr[cifarBatch(i+1)] = cifarRecords(byte(i%3), 2)
	}
	return tr
}

func TestOpenCIFAR(t *testing.T) {
	for kind, path := range sources(t, cifarTree()) {
		t.Run(kind, func(t *testing.T) {
			s := mustOpen(t, path, Options{})
			if !slices.Equal(s.Classes, []string{"zero", "one", "two"}) || s.Lossy != "" {
				t.Errorf("classes %q, %q", s.Classes, s.Lossy)
			}
			if !slices.Equal(s.Train.Labels, []uint16{0, 2, 1, 2, 2, 2, 0, 2, 1, 2}) || !slices.Equal(s.Test.Labels, []uint16{2, 0}) {
				t.Errorf("labels %v, %v", s.Train.Labels, s.Test.Labels)
			}
			for _, split := range []*Split{&s.Train, &s.Test} {
				for i := range split.N {
					for p := range cifarPlane {
						first := byte(i%2 + p)
						if got := split.Image(i)[3*p : 3*p+3]; !bytes.Equal(got, []byte{first, first + 50, first + 100}) {
							t.Fatalf("image %d, pixel %d is %v", i, p, got)
						}
					}
				}
			}
		})
	}
	only := tree{"test_batch.bin": cifarRecords(9)}
	s := mustOpen(t, only.folder(t), Options{Size: 16})
	if s.Train.N != 0 || s.Test.N != 1 || s.Classes[9] != "truck" || s.Lossy != "resized from 32x32" || s.Test.H != 16 {
		t.Errorf("test batch alone: %d + %d, %v, %q", s.Train.N, s.Test.N, s.Classes, s.Lossy)
	}
}

func idxTree(h, w int) tree {
	values := func(n int) []byte {
		b := make([]byte, n*h*w)
		for i := range b {
			b[i] = byte(1 + i%200)
		}
		return b
	}
	return tree{
		"train-images-idx3-ubyte":    idx(values(4), 4, h, w),
		"train-labels-idx1-ubyte.gz": gzipped(idx([]byte{0, 1, 2, 1}, 4)),
		"t10k-images-idx3-ubyte.gz":  gzipped(idx(values(2), 2, h, w)),
		"t10k-labels-idx1-ubyte":     idx([]byte{2, 0}, 2),
		"notes.txt.gz":               gzipped([]byte("not IDX")),
	}
}

func TestOpenIDX(t *testing.T) {
	for kind, path := range sources(t, idxTree(28, 28)) {
		t.Run(kind, func(t *testing.T) {
			s := mustOpen(t, path, Options{})
			if !slices.Equal(s.Classes, []string{"0", "1", "2"}) || s.Lossy != "28x28 gray placed in 32x32 RGB" {
				t.Errorf("classes %q, %q", s.Classes, s.Lossy)
			}
			if !slices.Equal(s.Train.Labels, []uint16{0, 1, 2, 1}) || !slices.Equal(s.Test.Labels, []uint16{2, 0}) {
				t.Errorf("labels %v, %v", s.Train.Labels, s.Test.Labels)
			}
			img := s.Train.Image(3)
			for y := range 32 {
				for x := range 32 {
					want := byte(0)
					if y >= 2 && y < 30 && x >= 2 && x < 30 {
						want = byte(1 + (3*784+(y-2)*28+x-2)%200)
					}
					if got := img[(y*32+x)*3 : (y*32+x)*3+3]; !bytes.Equal(got, []byte{want, want, want}) {
						t.Fatalf("pixel %d,%d is %v, want %d", y, x, got, want)
					}
				}
			}
		})
	}
}

func TestOpenIDXOtherSizes(t *testing.T) {
	for _, test := range []struct {
		h, w, size int
		lossy      string
	}{
		{28, 28, 28, "28x28 gray as RGB"},
		{28, 28, 64, "resized from 28x28 gray"},
		{20, 30, 32, "resized from 30x20 gray"},
	} {
		s := mustOpen(t, idxTree(test.h, test.w).folder(t), Options{Size: test.size})
		if s.Lossy != test.lossy {
			t.Errorf("%+v: %q", test, s.Lossy)
		}
		gray := image.NewGray(image.Rect(0, 0, test.w, test.h))
		for i := range gray.Pix {
			gray.Pix[i] = byte(1 + i%200)
		}
		if !bytes.Equal(s.Train.Image(0), ToRGB(gray, test.size, test.size)) {
			t.Errorf("%+v: not what ToRGB makes", test)
		}
	}
	named := idxTree(5, 5)
	named["classes.txt"] = []byte("nil\r\none\r\ntwo\r\nthree\r\n")
	if s := mustOpen(t, named.folder(t), Options{}); !slices.Equal(s.Classes, []string{"nil", "one", "two", "three"}) {
		t.Errorf("classes %q", s.Classes)
	}
}

// edit returns base with the changes made; a nil content removes the file.
func edit(base tree, changes tree) tree {
	out := maps.Clone(base)
	for name, content := range changes {
		out[name] = content
		if content == nil && !strings.HasSuffix(name, "/") {
			delete(out, name)
		}
	}
	return out
}

func TestOpenRefuses(t *testing.T) {
	good := jpegBytes(gradient(32, 32))
	for _, test := range []struct {
		name, want string
		tr         tree
	}{
		{"empty folder", "neither train/CLASS/IMAGE", tree{}},
		{"other files", "neither train/CLASS/IMAGE", tree{"a.txt": []byte("a"), "b/c.txt": []byte("c")}},
		{"train without classes", "neither train/CLASS/IMAGE", tree{"train/a.png": good}},
		{"no image", `"train/dog/x.png": neither PNG`, edit(classTree(), tree{"train/dog/x.png": []byte("text")})},
		{"empty image", `"train/dog/x.png": empty`, edit(classTree(), tree{"train/dog/x.png": {}})},
		{"truncated image", `"test/dog/x.jpg": `, edit(classTree(), tree{"test/dog/x.jpg": good[:len(good)/2]})},
		{"first of several bad images", `"train/cat/0.png"`, edit(classTree(), tree{"train/cat/0.png": {1}, "train/cat/1.png": {1}, "test/cat/0.png": {1}})},
		{"image outside a class", `"train/x.png" lies outside`, edit(classTree(), tree{"train/x.png": good})},
		{"image too deep", `"train/cat/a" lies deeper`, edit(classTree(), tree{"train/cat/a/x.png": good})},
		{"empty class", `"train/eel" is empty`, edit(classTree(), tree{"train/eel/": nil})},
		{"class only in test", `class "eel" of test is missing in train`, edit(classTree(), tree{"test/eel/0.jpg": good})},
		{"class only in train", `class "eel" of train is missing in test`, edit(classTree(), tree{"train/eel/0.jpg": good})},

		{"cifar without a batch", "data_batch_3.bin is missing", edit(cifarTree(), tree{"data_batch_3.bin": nil})},
		{"cifar truncated", "data_batch_3.bin: 6145 bytes are no whole", edit(cifarTree(), tree{"data_batch_3.bin": cifarRecords(1, 1)[:6145]})},
		{"cifar empty", "data_batch_1.bin: 0 bytes", edit(cifarTree(), tree{"data_batch_1.bin": {}})},
		{"cifar label", "test_batch.bin: record 1 has label 3, and there are 3 classes", edit(cifarTree(), tree{"test_batch.bin": cifarRecords(0, 3)})},
		{"cifar class without images", `class "one" has test images and no training`, tree{
			"batches.meta.txt": []byte("zero\none"), "test_batch.bin": cifarRecords(1), "data_batch_1.bin": cifarRecords(0), "data_batch_2.bin": cifarRecords(0),
			"data_batch_3.bin": cifarRecords(0), "data_batch_4.bin": cifarRecords(0), "data_batch_5.bin": cifarRecords(0),
		}},
		{"names listed twice", "line 3: class \"a\" is listed twice", edit(cifarTree(), tree{"batches.meta.txt": []byte("a\nb\na")})},
		{"blank name", "line 2", edit(cifarTree(), tree{"batches.meta.txt": []byte("a\n \nb")})},
		{"control character", `"b\x1b[2J" is no name`, edit(cifarTree(), tree{"batches.meta.txt": []byte("a\nb\x1b[2J\nc")})},
		{"names not in UTF-8", "UTF-8", edit(cifarTree(), tree{"batches.meta.txt": {0xff, 'a'}})},

		{"idx magic", "not with the magic number", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte": []byte("\x00\x01\x08\x03")})},
		{"idx of floats", "not with the magic number", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte": []byte("\x00\x00\x0d\x03")})},
		{"idx truncated", "99 values follow", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte": idx(make([]byte, 99), 4, 5, 5)})},
		{"idx too long", "101 values follow", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte": idx(make([]byte, 101), 4, 5, 5)})},
		{"idx header cut", "cut off", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte": idx(nil, 4, 5, 5)[:11]})},
		{"idx dimensions", "2 dimensions", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte": idx(make([]byte, 20), 4, 5)})},
		{"idx huge", "claims a dimension", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte": idx(nil, 1<<31-1, 1<<31-1, 1<<31-1)})},
		{"idx counts", "4 images", edit(idxTree(5, 5), tree{"train-labels-idx1-ubyte.gz": idx([]byte{0, 1}, 2)})},
		{"idx empty", "is empty", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte": idx(nil, 0, 5, 5), "train-labels-idx1-ubyte.gz": idx(nil, 0)})},
		{"idx without labels", "the images or the labels are missing", edit(idxTree(5, 5), tree{"t10k-labels-idx1-ubyte": nil})},
		{"idx of no split", "its name begins neither", edit(idxTree(5, 5), tree{"valid-images-idx3-ubyte": idx(make([]byte, 25), 1, 5, 5)})},
		{"idx twice", "both of train", edit(idxTree(5, 5), tree{"train-images-idx3-ubyte.gz": idx(make([]byte, 25), 1, 5, 5)})},
		{"idx broken gzip", "t10k-images", edit(idxTree(5, 5), tree{"t10k-images-idx3-ubyte.gz": gzipped(idx(make([]byte, 50), 2, 5, 5))[:40]})},
		{"idx class only in test", "test images and no training", edit(idxTree(5, 5), tree{"t10k-labels-idx1-ubyte": idx([]byte{9, 0}, 2)})},
		{"idx label without a name", "label 2, and there are 2 classes", edit(idxTree(5, 5), tree{"classes.txt": []byte("a\nb\n")})},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := test.tr.folder(t)
			_, err := Open(t.Context(), path, Options{})
			if !errors.Is(err, ErrData) {
				t.Fatalf("error %v is no ErrData", err)
			}
			text := err.Error()
			if !strings.Contains(text, test.want) || !strings.Contains(text, path) || strings.Count(text, ErrData.Error()) != 1 {
				t.Errorf("error %q, want %q with the path, once", text, test.want)
			}
		})
	}
}

func TestOpenRefusesFiles(t *testing.T) {
	archive := classTree().tarGz()
	zipped := classTree().zip()
	for name, path := range map[string]string{
		"missing":         filepath.Join(t.TempDir(), "nowhere"),
		"below a file":    writeFile(t, "file", nil) + "/below",
		"empty":           writeFile(t, "empty.zip", nil),
		"text":            writeFile(t, "text.zip", []byte("PKnothing")),
		"zip cut":         writeFile(t, "cut.zip", zipped[:len(zipped)-30]),
		"zip head":        writeFile(t, "head.zip", zipped[:4]),
		"empty zip":       writeFile(t, "nothing.zip", tree{}.zip()),
		"tar.gz cut":      writeFile(t, "cut.tar.gz", archive[:len(archive)/2]),
		"gzip of no tar":  writeFile(t, "text.gz", gzipped(bytes.Repeat([]byte("text"), 1000))),
		"gzip head":       writeFile(t, "head.gz", archive[:5]),
		"device":          os.DevNull,
		"name with a NUL": "a\x00b",
	} {
		_, err := Open(t.Context(), path, Options{})
		if name == "name with a NUL" {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", name, err)
		}
		if name == "missing" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v hides fs.ErrNotExist", name, err)
		}
	}
	if _, err := Open(t.Context(), "", Options{}); !errors.Is(err, ErrData) {
		t.Errorf("no name: error %v", err)
	}
}

// The image of a data set that is refused is also a refused image.
func TestOpenRefusesImageAsSuch(t *testing.T) {
	_, err := Open(t.Context(), tree{"train/a/b.png": []byte("text")}.folder(t), Options{})
	if !errors.Is(err, ErrData) || !errors.Is(err, ErrImage) || strings.Contains(err.Error(), ErrImage.Error()) {
		t.Errorf("error %v", err)
	}
}

func TestArchivesKeepInside(t *testing.T) {
	for _, name := range []string{"../train/c/a.png", "train/../../c/a.png", "/train/c/a.png", `train\c\a.png`, "train/c/\x07.png", "train/c/\xff.png", "train//a.png"} {
		tr := edit(classTree(), tree{name: pngBytes(gradient(2, 2))})
		for kind, b := range map[string][]byte{"zip": tr.zip(), "tar.gz": tr.tarGz()} {
			_, err := Open(t.Context(), writeFile(t, "data", b), Options{})
			if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), "name") {
				t.Errorf("%s with %q: error %v", kind, name, err)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	zeros := make([]byte, 1<<20)
	bomb := edit(classTree(), tree{"train/cat/bomb.png": zeros})
	for _, test := range []struct {
		name, want string
		tr         tree
		limits     Limits
	}{
		{"entries", "more than 5 files", classTree(), Limits{Entries: 5}},
		{"bytes", "more than 3000 bytes", classTree(), Limits{Bytes: 3000}},
		{"decoded bytes", "12 images of 32x32 take more", classTree(), Limits{Bytes: 12*3072 - 1}},
		{"bytes of an image", "more than 100000", bomb, Limits{Image: ImageLimits{Bytes: 100_000}}},
		{"pixels of an image", "1000 in all", classTree(), Limits{Image: ImageLimits{Pixels: 1000}}},
		{"bomb", "more than 500000 bytes", bomb, Limits{Bytes: 500_000}},
		{"idx bomb", "more than 500000 bytes", tree{
			"train-images-idx3-ubyte.gz": gzipped(idx(zeros, 1, 1024, 1024)), "train-labels-idx1-ubyte": idx([]byte{0}, 1),
		}, Limits{Bytes: 500_000}},
	} {
		for kind, path := range sources(t, test.tr) {
			_, err := Open(t.Context(), path, Options{Limits: test.limits})
			// A tar.gz is counted while it is unpacked, and may reach the limit sooner.
			if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), test.want) && !(kind == "tar.gz" && strings.Contains(err.Error(), "unpacked")) {
				t.Errorf("%s, %s: error %v, want %q", test.name, kind, err, test.want)
			}
		}
	}
}

// Of images that nobody asked for none is decoded, and those that are asked for are the same in every layout.
func TestOpenSome(t *testing.T) {
	raw := tree{}
	for _, split := range []string{"train", "t10k"} {
		pixels, labels := make([]byte, 10*25), make([]byte, 10)
		for i := range labels {
			labels[i] = byte(i)
			for p := range 25 {
				pixels[i*25+p] = byte(20 * i)
			}
		}
		raw[split+"-images-idx3-ubyte"], raw[split+"-labels-idx1-ubyte"] = idx(pixels, 10, 5, 5), idx(labels, 10)
	}
	for _, limits := range [][2]int{{-1, 3}, {4, -1}, {0, 2}, {20, 1}} {
		want := mustOpen(t, raw.folder(t), Options{Size: 5})
		got := mustOpen(t, raw.folder(t), Options{Size: 5, TrainLimit: limits[0], TestLimit: limits[1]})
		if !slices.Equal(got.Classes, want.Classes) {
			t.Errorf("%v: classes %q", limits, got.Classes)
		}
		for i, split := range []*Split{&got.Train, &got.Test} {
			whole := []*Split{&want.Train, &want.Test}[i]
			some := whole.Limit(limits[i])
			if limits[i] < 0 {
				some = whole.pick(nil)
			}
			if split.N != some.N || split.Of() != 10 || !bytes.Equal(split.Pixels, some.Pixels) || !slices.Equal(split.Labels, some.Labels) || !slices.Equal(split.Index, some.Index) {
				t.Errorf("%v: %d images %v of %d, want %d %v", limits, split.N, split.Index, split.Of(), some.N, some.Index)
			}
		}
	}
	if _, err := Open(t.Context(), raw.folder(t), Options{Size: 224, TrainLimit: -1, TestLimit: 1, Limits: Limits{Bytes: 224 * 224 * 3}}); err != nil {
		t.Errorf("one image within the limits of one: %v", err)
	}
	half := tree{"train/a/1.png": pngBytes(gradient(5, 5))}
	if s, err := Open(t.Context(), half.folder(t), Options{TrainLimit: -1}); err != nil || s.Test.N != 0 {
		t.Errorf("the split that is not there: %v", err) // for the caller to say
	}
	broken := edit(classTree(), tree{"train/dog/0.png": []byte("text")})
	if _, err := Open(t.Context(), broken.folder(t), Options{TrainLimit: -1}); err != nil {
		t.Errorf("a bad picture that is not wanted: %v", err)
	}
}

// What an archive or a set unpacks to counts as a whole, however it is divided, and also where the stream itself is short.
func TestLimitsOfTheWhole(t *testing.T) {
	images := func(n int) []byte { return gzipped(idx(make([]byte, n*25), n, 5, 5)) }
	labels := func(n int) []byte { return gzipped(idx(make([]byte, n), n)) }
	small := pngBytes(gradient(2, 2))
	for name, test := range map[string]struct {
		archive []byte
		o       Options
	}{
		"members of a sparse archive": {gzipped(sparseTar(t, 8, 1_000_000)), Options{Limits: Limits{Bytes: 1 << 20}}},
		"a limit that ends with a member": {
			tree{"train/a/1.png": small, "train/b/1.png": small, "train/b/2.png": small}.tarGz(), Options{Size: 8, Limits: Limits{Bytes: 2048}},
		},
		"compressed IDX files": {tree{
			"train-images-idx3-ubyte.gz": images(1000), "train-labels-idx1-ubyte.gz": labels(1000),
			"t10k-images-idx3-ubyte.gz": images(1000), "t10k-labels-idx1-ubyte.gz": labels(1000),
		}.zip(), Options{Size: 1, Limits: Limits{Bytes: 30_000}}},
		"both splits decoded": {idxTree(28, 28).zip(), Options{Size: 64, Limits: Limits{Bytes: 64 * 64 * 3 * 5}}},
	} {
		_, err := Open(t.Context(), writeFile(t, "data", test.archive), test.o)
		if limit := fmt.Sprintf("than %d bytes", test.o.Limits.Bytes); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), limit) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// sparseTar is an archive of n files of size bytes, none of which is stored: holes, as PAX records since GNU tar 1.16 describe them. The
// package does not write the records, so they are written under another name of the same length.
func sparseTar(t *testing.T, n int, size int64) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	holes := make([]byte, 512)
	copy(holes, fmt.Sprintf("1\n%d\n0\n", size))
	for i := range n {
		name := fmt.Sprintf("test/a/%d.png", i)
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(holes)), Typeflag: tar.TypeReg, PAXRecords: map[string]string{
			"GNX.sparse.major": "1", "GNX.sparse.minor": "0", "GNX.sparse.name": name, "GNX.sparse.realsize": fmt.Sprint(size),
		}})
		if err == nil {
			_, err = w.Write(holes)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return bytes.ReplaceAll(b.Bytes(), []byte("GNX.sparse"), []byte("GNU.sparse"))
}

// Only gzip's checksum knows that a pixel is another one.
func TestTarGzChecksum(t *testing.T) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(cifarTree().tar())
	z.Close()
	open := func() error {
		_, err := Open(t.Context(), writeFile(t, "data.tar.gz", b.Bytes()), Options{})
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	b.Write(make([]byte, 512)) // padding, as tapes have it
	if err := open(); err != nil {
		t.Error(err)
	}
	b.Bytes()[bytes.Index(b.Bytes(), []byte(cifarTest))+512+100] ^= 1 // behind the member's header and its label
	if err := open(); !errors.Is(err, ErrData) || !errors.Is(err, gzip.ErrChecksum) {
		t.Errorf("a bit changed: error %v", err)
	}
}

func TestOpenCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tr := range []tree{classTree(), cifarTree(), idxTree(28, 28)} {
		for kind, path := range sources(t, tr) {
			if _, err := Open(ctx, path, Options{}); !errors.Is(err, context.Canceled) || errors.Is(err, ErrData) {
				t.Errorf("%s: error %v", kind, err)
			}
		}
	}
}

func TestClassify(t *testing.T) {
	system := &fs.PathError{Op: "read", Path: "x", Err: syscall.EACCES}
	for _, test := range []struct {
		err     error
		refused bool
	}{
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, true},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOTDIR}, true},
		{errors.New("a decoder's"), true},
		{system, false},
		{fmt.Errorf("deeper: %w", system), false},
		{&fs.PathError{Op: "read", Path: "x", Err: syscall.EIO}, false},
		{context.Canceled, false},
	} {
		err := classify(ErrData, test.err)
		if errors.Is(err, ErrData) != test.refused || !errors.Is(err, test.err) {
			t.Errorf("%v becomes %v", test.err, err)
		}
	}
	if err := classify(ErrData, system); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v hides fs.ErrPermission", err)
	}
	if classify(ErrData, nil) != nil {
		t.Error("nil becomes an error")
	}
}

func TestOpenUnreadable(t *testing.T) {
	if os.Getuid() <= 0 {
		t.Skip("permissions do not stop this user, or this system has none")
	}
	path := classTree().folder(t)
	file := filepath.Join(path, "train", "cat", "0.png")
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrData) {
		t.Errorf("error %v", err)
	}
}

// TestCIFAR10Images reads the 60,000 JPEG images of CIFAR-10, as class folders in a zip, where there are any.
func TestCIFAR10Images(t *testing.T) {
	path := os.Getenv("MNET_CIFAR10")
	if path == "" {
		t.Skip("MNET_CIFAR10 does not name a folder or archive of CIFAR-10's images")
	}
	s := mustOpen(t, path, Options{})
	if s.Train.N != 50_000 || s.Test.N != 10_000 || !slices.Equal(s.Classes, cifarClasses) {
		t.Fatalf("%d + %d images of %q", s.Train.N, s.Test.N, s.Classes)
	}
	for _, part := range []struct {
		split *Split
		each  int
	}{{&s.Train, 5000}, {&s.Test, 1000}} {
		counts, err := s.count(part.split)
		if err != nil || slices.ContainsFunc(counts, func(n int) bool { return n != part.each }) {
			t.Errorf("images a class: %v, %v", counts, err)
		}
	}
	// The mean pixel of CIFAR-10's training set is 125.31, 122.95, 113.87.
	mean, _ := s.Train.MeanStd()
	for c, want := range []float64{125.31, 122.95, 113.87} {
		if d := mean[c] - want; d < -0.2 || d > 0.2 {
			t.Errorf("mean of channel %d is %.2f, want %.2f", c, mean[c], want)
		}
	}
}

// numbers are n lines that differ, after the mark with which some editors begin a text.
func numbers(n int) string {
	var b strings.Builder
	b.WriteString("\ufeff")
	for i := range n {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

func TestParseClasses(t *testing.T) {
	classes, err := parseClasses([]byte(numbers(65536)))
	if err != nil || len(classes) != 65536 || classes[0] != "0" {
		t.Errorf("%d classes, error %v", len(classes), err)
	}
	if _, err := parseClasses([]byte(numbers(65537))); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), "65537 class names") {
		t.Errorf("more names than there are labels: %v", err)
	}
}

// What lies beside the splits may be anything; in one of them it is named.
func TestOpenOddEntries(t *testing.T) {
	for _, c := range []struct{ at, to, want string }{
		{"latest", "gone", ""}, {"train/cat/latest.png", "gone", "no such file"}, {"test", "gone", "no such file"},
		{"latest", "latest", ""}, {"latest", "README.txt/x", ""}, {"test", "README.txt/x", "not a directory"},
	} {
		dir := classTree().folder(t)
		if c.at == "test" {
			if err := os.RemoveAll(filepath.Join(dir, c.at)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(c.at)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(c.to, filepath.Join(dir, c.at)); err != nil {
			t.Skip("this system makes no links:", err)
		}
		_, err := Open(t.Context(), dir, Options{})
		if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrData) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("a link to %s at %s: %v, want %q", c.to, c.at, err, c.want)
		}
	}
}
