package report

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser opens pages in a headless Chromium.
type browser struct {
	program string
	dir     string
}

// newBrowser skips the test where there is no browser.
func newBrowser(t *testing.T) browser {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return browser{path, t.TempDir()}
		}
	}
	t.Skip("no Chromium here to open the page in: looked for chromium, chromium-browser, google-chrome and chrome")
	return browser{}
}

// open gives the document as the browser has it, what it said about it on its console, and how it looks.
func (b browser) open(t *testing.T, page string, flags ...string) (dom string, console []string, look image.Image) {
	t.Helper()
	file, shot := filepath.Join(b.dir, "page.html"), filepath.Join(b.dir, "page.png")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.program, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
		"--user-data-dir=" + filepath.Join(b.dir, "profile"), "--enable-logging=stderr", "--window-size=1200,1600",
		"--dump-dom", "--screenshot=" + shot}, append(flags, "file://"+file)...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", b.program, err, said.String())
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, ":CONSOLE") {
			console = append(console, strings.TrimSpace(line))
		}
	}
	data, err := os.ReadFile(shot)
	if err != nil {
		t.Fatal(err)
	}
	if look, err = png.Decode(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return out.String(), console, look
}

// count is how many pixels have a colour.
func count(img image.Image, want color.RGBA) (n int) {
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			if uint8(r>>8) == want.R && uint8(g>>8) == want.G && uint8(b>>8) == want.B {
				n++
			}
		}
	}
	return n
}

// The page of a comparison stands in a real browser: its rows and pictures are in the document, nothing is complained
// of, and what is seen is drawn in the colours of the reader's choice.
func TestBenchPageInBrowser(t *testing.T) {
	b := newBrowser(t)
	page := htmlOf(t, comparison().HTML)
	for _, look := range []struct {
		name        string
		flags       string
		paper, mark color.RGBA
	}{
		{"light", "--blink-settings=preferredColorScheme=1", color.RGBA{0xff, 0xff, 0xff, 255}, color.RGBA{0x00, 0x67, 0xa8, 255}},
		{"dark", "--blink-settings=preferredColorScheme=0", color.RGBA{0x14, 0x18, 0x1c, 255}, color.RGBA{0x5c, 0xb8, 0xf5, 255}},
	} {
		dom, console, img := b.open(t, page, look.flags)
		if len(console) > 0 {
			t.Errorf("%s: the browser complains: %q", look.name, console)
		}
		for _, want := range []string{"<th scope=\"row\" class=\"word\">float32</th>", "&lt;int8&gt;| !</td>", "<title id=\"distribution-title\">", "</html>"} {
			if !strings.Contains(dom, want) {
				t.Errorf("%s: the document lacks %q", look.name, want)
			}
		}
		if got, want := strings.Count(dom, "<circle"), 2; got != want {
			t.Errorf("%s: %d points in the picture, want %d", look.name, got, want)
		}
		all := img.Bounds().Dx() * img.Bounds().Dy()
		if n := count(img, look.paper); n < all/2 || n > all*99/100 {
			t.Errorf("%s: %d of %d pixels are paper", look.name, n, all)
		}
		if n := count(img, look.mark); n < 200 {
			t.Errorf("%s: %d pixels of the first series' colour", look.name, n)
		}
	}
}

// That the browser complains of nothing says something only if it would.
func TestBrowserComplains(t *testing.T) {
	b := newBrowser(t)
	_, console, _ := b.open(t, strings.Replace(htmlOf(t, comparison().HTML), "<h1>", `<script>alert(1)</script><h1>`, 1))
	if len(console) == 0 {
		t.Error("a script that the page's policy forbids went by without a word")
	}
}
