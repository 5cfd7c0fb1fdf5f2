// Package pi is the archive for a 64-bit Raspberry Pi: build.sh makes it, the test runs it.
//
// There is no Raspberry Pi at hand when the test runs: it emulates the processors of two of them with qemu's user mode and
// holds the archive's answers against those of this machine. Times mean nothing there.
package pi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mnet-edge/dataset"
	"mnet-edge/report"
)

const images = 200

// Where MNET_PI names the archive and MNET_EDGE the program for this machine, the archive is unpacked and run.
func TestArchive(t *testing.T) {
	archive, program := os.Getenv("MNET_PI"), os.Getenv("MNET_EDGE")
	if archive == "" || program == "" {
		t.Skip("MNET_PI and MNET_EDGE do not name the archive and the program: make pi-test")
	}
	needEmulator(t)
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("unpacking: %v, %s", err, out)
	}
	root := filepath.Join(dir, "mnet-edge")
	pictures := writePictures(t, images)
	photo := writePhoto(t)

	here := machine{t, []string{program}, root}
	reference := here.infer("reference", pictures)
	native := here.infer("native", pictures)
	xnnpack := here.infer("xnnpack", pictures)
	photoHere := here.infer("reference", photo)
	for _, b := range boards {
		t.Run(b.cpu, func(t *testing.T) {
			board := machine{t, append(b.emulated(t), filepath.Join(root, "mnet-edge")), root}
			board.devices(b.model)
			if same := sameBits(t, board.infer("reference", photo), photoHere); same != 1 {
				t.Error("a photo that has to be resized gives other bits than here")
			}
			r := board.infer("reference", pictures)
			n := board.infer("native", pictures)
			for _, answers := range [][2]report.Infer{{r, reference}, {n, native}} {
				if same := sameBits(t, answers[0], answers[1]); same != images {
					t.Errorf("%s: %d of %d outputs have this machine's bits", answers[0].Runtime.Name, same, images)
				}
			}
			x := board.infer("xnnpack", pictures)
			if p := x.Runtime.Placement; p.Delegate != "xnnpack" || p.DelegatedNodes != p.TotalNodes {
				t.Errorf("XNNPACK took %d of %d nodes", p.DelegatedNodes, p.TotalNodes)
			}
			agree := agreement(x, xnnpack)
			if agree < images*99/100 {
				t.Errorf("XNNPACK: top-1 of %d of %d images agrees with this machine's", agree, images)
			}
			t.Logf("%d images: %d outputs of the reference and %d of the native engine have this machine's bits; XNNPACK, %d of %d nodes: "+
				"top-1 agrees with XNNPACK here on %d, its bits on %d; with the reference on %d, where XNNPACK here does on %d", images,
				sameBits(t, r, reference), sameBits(t, n, native), x.Runtime.DelegatedNodes, x.Runtime.TotalNodes, agree, sameBits(t, x, xnnpack),
				agreement(x, r), agreement(xnnpack, reference))
		})
	}
}

// machine runs the program somewhere.
type machine struct {
	t       *testing.T
	command []string
	root    string // of the unpacked archive
}

func (m machine) run(args ...string) []byte {
	m.t.Helper()
	cmd := exec.Command(m.command[0], append(m.command[1:], args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%s: %v, %s", args[0], err, &stderr)
	}
	return out
}

func (m machine) infer(delegate, pictures string) report.Infer {
	m.t.Helper()
	out := m.run("infer", "--json", "--strict", "--delegate", delegate, "--model", filepath.Join(m.root, "model.tflite"),
		"--num-runs", "1", "--warmup-runs", "0", pictures)
	var r report.Infer
	if err := json.Unmarshal(out, &r); err != nil {
		m.t.Fatal(err)
	}
	return r
}

// devices holds the board to being what it is, and to having every runtime.
func (m machine) devices(model string) {
	m.t.Helper()
	var r struct {
		Host    struct{ Board string }
		Devices []struct {
			Name      string
			Available bool
		}
	}
	if err := json.Unmarshal(m.run("devices", "--json"), &r); err != nil {
		m.t.Fatal(err)
	}
	if r.Host.Board != model {
		m.t.Errorf("the board is %q, want %q", r.Host.Board, model)
	}
	available := map[string]bool{}
	for _, d := range r.Devices {
		available[d.Name] = d.Available
	}
	for _, name := range []string{"xnnpack", "none", "native", "reference"} {
		if !available[name] {
			m.t.Errorf("%s is not available: %v", name, available)
		}
	}
}

// sameBits counts the images whose outputs are equal in every bit; their inputs have to be.
func sameBits(t *testing.T, a, b report.Infer) (same int) {
	t.Helper()
	if len(a.Results) != len(b.Results) {
		t.Fatalf("%d and %d answers", len(a.Results), len(b.Results))
	}
	for i, r := range a.Results {
		if r.InputSHA256 != b.Results[i].InputSHA256 {
			t.Errorf("%s: the inputs differ", r.Image)
		}
		if r.OutputSHA256 == b.Results[i].OutputSHA256 {
			same++
		}
	}
	return same
}

// agreement counts the images that get the same class.
func agreement(a, b report.Infer) (same int) {
	for i, r := range a.Results {
		if r.Top[0].Index == b.Results[i].Top[0].Index {
			same++
		}
	}
	return same
}

// writePictures puts n test images into a folder: CIFAR-10's where MNET_CIFAR10 names them, else those built in.
func writePictures(t *testing.T, n int) string {
	t.Helper()
	source := os.Getenv("MNET_CIFAR10")
	if source == "" {
		source = "fashion-mini"
	}
	set, err := dataset.Open(t.Context(), source, dataset.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	split := set.Test.Limit(n)
	dir := t.TempDir()
	for i := range split.N {
		img := image.NewNRGBA(image.Rect(0, 0, split.W, split.H))
		rgb := split.Image(i)
		for p := range split.W * split.H {
			copy(img.Pix[4*p:], []byte{rgb[3*p], rgb[3*p+1], rgb[3*p+2], 255})
		}
		writePNG(t, filepath.Join(dir, fmt.Sprintf("%03d.png", i)), img)
	}
	t.Logf("%d images of %s", split.N, set.Name)
	return dir
}

// writePhoto is a picture of another size than the model's, with detail at every scale.
func writePhoto(t *testing.T) string {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 301, 233))
	for i := range img.Pix {
		x, y := i/4%301, i/4/301
		img.Pix[i] = byte(x*x/50 + y*(3+i%4) + (x^y)*(i%4))
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	path := filepath.Join(t.TempDir(), "photo.png")
	writePNG(t, path, img)
	return path
}

func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The archive holds what it takes to run, and the licence of every part.
func TestContents(t *testing.T) {
	archive := os.Getenv("MNET_PI")
	if archive == "" {
		t.Skip("MNET_PI does not name the archive: make pi-test")
	}
	out, err := exec.Command("tar", "-tzf", archive).Output()
	if err != nil {
		t.Fatal(err)
	}
	listed := string(out)
	for _, name := range []string{"mnet-edge", "libtensorflowlite_c.so", "model.tflite", "LICENSE", "README.md", "mnet-edge.service",
		"licenses/go.txt", "licenses/tensorflow-lite.txt", "licenses/github.com_tphakala_go-tflite.txt"} {
		if !strings.Contains(listed, "mnet-edge/"+name+"\n") {
			t.Errorf("no %s in the archive", name)
		}
	}
	for name := range strings.Lines(listed) {
		if !strings.HasPrefix(name, "mnet-edge/") || strings.Contains(name, "..") {
			t.Errorf("%q would be unpacked beside the folder", name)
		}
	}
}
