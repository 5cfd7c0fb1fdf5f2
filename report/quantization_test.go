package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"io"
	"reflect"
	"strings"
	"testing"

	"mnet-edge/convert"
	"mnet-edge/graph"
)

// conversion is one of two layers, with everything that a report shows.
func conversion() Quantization {
	top1, float, drop := 0.72, 0.725, 0.5
	layer := func(name string, snr float64) convert.LayerReport {
		return convert.LayerReport{Name: name, Op: "conv2d", WeightSNR: snr + 10, ActivationSNR: snr, Cosine: 0.9991, Clipped: 0.0125, DeadChannels: 3,
			BiasHeadroom: 12.5, OutputMin: -1.5, OutputMax: 6}
	}
	ranges := func(name string) convert.LayerRanges {
		return convert.LayerRanges{Name: name, Weights: []graph.Interval{{Min: -1, Max: 0.5}, {Min: -0.01, Max: 0.01}},
			Outputs: []graph.Interval{{Min: 0, Max: 6}, {Min: -1.5, Max: 0.25}}, Span: graph.Interval{Min: -1.5, Max: 6}}
	}
	recipe := convert.Recipe{Scheme: convert.Int8, Observer: "mse", Equalize: convert.Off, CorrectBias: convert.On, RoundWeights: convert.Off}
	return Quantization{
		Convert: Convert{Input: "runs/a", Output: "<int8>.tflite", Scheme: "int8", SizeBytes: 302712, SHA256: "ab", Top1: &top1, FloatTop1: &float, DropPoints: &drop, DropCI95: &[2]float64{-0.25, 1.25}},
		Result: &convert.Result{Recipe: recipe, Layers: []convert.LayerReport{layer("stem", 41), layer("logits", 30)},
			Trials: []convert.Trial{{Recipe: recipe, OutputSNR: 35.38, Picked: true}, {Recipe: recipe, Refused: "it diverges"}},
			Calibration: &convert.Calibration{Observer: "mse", Samples: 32, Enough: true, Curve: []convert.Moved{{Samples: 8},
				{Samples: 16, Mean: 0.08, Worst: 0.2, Layer: "stem"}, {Samples: 32, Mean: 0.03, Worst: 0.1, Layer: "logits"}}}},
		Ranges: []convert.LayerRanges{ranges("stem"), ranges("logits")},
	}
}

func TestQuantizationHTML(t *testing.T) {
	page := htmlOf(t, conversion().HTML)
	wellFormed(t, page)
	for _, want := range []string{"&lt;int8&gt;.tflite", "<td>41.0</td>", "<td>1.250</td>", "logits: its output at 30.0 dB", "72.00 %, float 72.50 %, points lost 0.50 [-0.25, 1.25]",
		"it diverges", `aria-labelledby="outputs-title outputs-desc"`, "3.00 % on the average", "2 channels from -1.5 to 6"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"<script", "http:", "https:", "ZgotmplZ", "NaN", "Inf"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
}

// A conversion without ranges, trials or calibration has a page all the same.
func TestQuantizationHTMLOfLittle(t *testing.T) {
	page := htmlOf(t, Quantization{Result: &convert.Result{}}.HTML)
	wellFormed(t, page)
	if strings.Contains(page, "NaN") {
		t.Error("the page has a NaN")
	}
}

// No figure of a layer is forgotten: a field added to LayerReport asks for a column.
func TestLayerColumns(t *testing.T) {
	want := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[convert.LayerReport]()) {
		if f.IsExported() {
			want++
		}
	}
	if got := len(layerColumns); got != want {
		t.Errorf("%d columns for the %d fields of a LayerReport", got, want)
	}
}

func TestQuantizationPictures(t *testing.T) {
	var b bytes.Buffer
	if err := conversion().Picture(&b, "png"); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	f := conversion().picture()
	if got := img.Bounds().Dx(); got != 2*int(f.width) {
		t.Errorf("%d pixels wide, want two a unit", got)
	}
	for _, c := range []color.RGBA{{0x00, 0x67, 0xa8, 255}, {0xc4, 0x51, 0x00, 255}, {0xd9, 0xde, 0xe3, 255}} {
		if n := count(img, c); n < 500 {
			t.Errorf("%d pixels of %v", n, c)
		}
	}
	b.Reset()
	if err := conversion().Picture(&b, "svg"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `xmlns="http://www.w3.org/2000/svg"`) {
		t.Error("the picture does not say that it is SVG")
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := conversion().Picture(io.Discard, "bmp"); err == nil {
		t.Error("a picture in an unknown format")
	}
}

// Names come from files that anyone made: XML has no form for some of what may be in them.
func TestXMLText(t *testing.T) {
	if got, want := xmlText("a\x01<\xffb\n\ufffe\uffff"), "a\ufffd&lt;\ufffdb\n\ufffd\ufffd"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestQuantizationPageInBrowser(t *testing.T) {
	b := newBrowser(t)
	dom, console, img := b.open(t, htmlOf(t, conversion().HTML), "--blink-settings=preferredColorScheme=1")
	if len(console) > 0 {
		t.Errorf("the browser complains: %q", console)
	}
	if !strings.Contains(dom, "<th scope=\"row\" class=\"word\">logits</th>") || !strings.Contains(dom, "<title id=\"convergence-title\">") {
		t.Error("the document lacks its rows or pictures")
	}
	if n := count(img, color.RGBA{0x00, 0x67, 0xa8, 255}); n < 500 {
		t.Errorf("%d pixels of the first series' colour", n)
	}
}
