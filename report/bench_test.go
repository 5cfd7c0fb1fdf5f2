package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mnet-edge/devices"
	"mnet-edge/infer"
	"mnet-edge/internal/golden"
)

// comparison is two models, of which the second is not to be trusted, and was profiled.
func comparison() Bench {
	none := ran
	none.Placement = infer.Placement{Delegate: "none", TotalNodes: 29}
	slow := latency
	slow.P50, slow.P90, slow.P99 = 96.8, 110, 1480
	b := Bench{Version: 1, Measured: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Host: "a host", Data: "cifar10, test images", Rows: []BenchRow{
		{Model: "runs/a/float32.tflite", Scheme: "float32", SizeBytes: 866912, SHA256: "aa", Runtime: none, Accuracy: infer.NewAccuracy(725, 1000), Latency: slow, Around: around,
			Verified: &infer.Agreement{Inputs: 100, SameTop1: 100, SameBits: 100}, MemoryBytes: 5_400_000},
		{Model: "runs/a/<int8>|.tflite", Scheme: "int8", SizeBytes: 302712, SHA256: "bb", Runtime: ran, Accuracy: accuracy, Latency: latency, Around: infer.Around{Preprocess: 3.5, Postprocess: 0.75}, InitUS: 1980.5,
			Verified: &infer.Agreement{Inputs: 100, SameTop1: 98, SameBits: 3, MaxDiff: 0.25, Rounding: "double"},
			Profile: &infer.Profile{Calls: 100, Source: infer.SourceRuntime, CallUS: 50, RestUS: 1.5, StepUS: 1, Nodes: []infer.NodeTime{
				{Name: "conv1", Op: "conv2d", Ran: "xnnpack", Kernel: "IGEMM", US: 30.25, Share: 30.25 / 48.5},
				{Name: "dw", Op: "depthwise_conv2d", Ran: "none", US: 10, Share: 10 / 48.5, Reason: "int16 activations"},
				{Name: "conv2", Op: "conv2d", Ran: "xnnpack", Kernel: "GEMM", US: 8.25, Share: 8.25 / 48.5},
			}}},
	}}
	b.Conditions = &devices.Conditions{Samples: 3, Load: devices.Extremes{Min: 0.5, Max: 1.25}, FreqMHz: devices.Extremes{Min: 2400, Max: 2400},
		Governor: "performance", Throttled: []string{}}
	b.Rows[0].Right, b.Rows[1].Right = make([]bool, 1000), make([]bool, 1000)
	for i := range 1000 {
		b.Rows[0].Right[i], b.Rows[1].Right[i] = i < 725, i >= 14 && i < 735 // fourteen lost, ten won
	}
	b.Compare()
	b.Rows[1].SpeedUpCI = &[2]float64{1.95, 2.0625}
	for i, mid := range []float64{96.8, 48.4} {
		for p := range 101 {
			b.Rows[i].Percentiles = append(b.Rows[i].Percentiles, mid*(0.95+0.001*float64(p)+float64(p/99)))
		}
	}
	return b
}

func TestBenchText(t *testing.T) {
	var s strings.Builder
	comparison().Text(&s)
	golden.Compare(t, "testdata/bench.txt", s.String())
}

func TestBenchMarkdown(t *testing.T) {
	var s strings.Builder
	if err := comparison().Markdown(&s); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/bench.md", s.String())
}

func TestBenchCSV(t *testing.T) {
	var s strings.Builder
	if err := comparison().CSV(&s); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/bench.csv", s.String())
}

// The field names are a contract with scripts.
func TestBenchJSON(t *testing.T) {
	b := comparison()
	for i := range b.Rows {
		b.Rows[i].Percentiles = b.Rows[i].Percentiles[:2]
	}
	j, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/bench.json", string(j)+"\n")
}

// A row that computes something else than the reference says so, in every form.
func TestBenchMarksWrongAnswers(t *testing.T) {
	b := comparison()
	if len(b.Rows[0].Notes) != 0 || len(b.Rows[1].Notes) != 1 {
		t.Fatalf("notes %q and %q: want one of the second row", b.Rows[0].Notes, b.Rows[1].Notes)
	}
	for name, write := range map[string]func(io.Writer) error{"text": func(w io.Writer) error { b.Text(w); return nil }, "markdown": b.Markdown, "csv": b.CSV, "html": b.HTML} {
		var s strings.Builder
		if err := write(&s); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(s.String(), "98 of 100 images") {
			t.Errorf("%s does not say that the answers differ", name)
		}
	}
}

// Figures of few calls are not for quoting, nor are those of a row that had not settled: each form says which.
func TestBenchSaysWhatIsNoHeadline(t *testing.T) {
	b := comparison()
	for _, c := range []struct {
		counts [2]int
		stable bool
		want   string
	}{
		{[2]int{1024, 1024}, true, "1024 calls a row\n"},
		{[2]int{1024, 5000}, true, "1024 to 5000 calls a row\n"},
		{[2]int{200, 1024}, true, "200 to 1024 calls a row, an impression: figures to quote take 1024\n"},
		{[2]int{1024, 1024}, false, "1024 calls a row; not stable when the warm-up ended: row 2\n"},
	} {
		for i := range b.Rows {
			b.Rows[i].Latency.Count = c.counts[i]
		}
		b.Rows[1].Latency.Warmup.Stable = c.stable
		var text, md strings.Builder
		b.Text(&text)
		if err := b.Markdown(&md); err != nil {
			t.Fatal(err)
		}
		for form, got := range map[string]string{"text": text.String(), "markdown": md.String(), "html": htmlOf(t, b.HTML)} {
			if want := strings.TrimSuffix(c.want, "\n"); !strings.Contains(got, want) || form == "text" && !strings.Contains(got, c.want) {
				t.Errorf("%s: %v: want %q in\n%s", form, c.counts, c.want, got)
			}
		}
	}
}

// Rows that were measured while the processor was held back say so in every form, and each row is marked where it is named.
func TestBenchMarksThrottling(t *testing.T) {
	b := comparison()
	b.Rows[1].Verified = nil // which would be a note of its own
	for i := range b.Rows {
		b.Rows[i].Notes = nil
	}
	b.Conditions.Throttled = []string{"low voltage", "throttled"}
	b.Compare()
	const note = "measured while the processor was held back: low voltage; throttled"
	for i, r := range b.Rows {
		if len(r.Notes) != 1 || r.Notes[0] != note {
			t.Errorf("%s: notes %q", r.Model, r.Notes)
		}
		if label := b.labels()[i]; !strings.HasSuffix(label, " !") {
			t.Errorf("in the pictures the row is %q", label)
		}
	}
	for name, write := range map[string]func(io.Writer) error{"text": func(w io.Writer) error { b.Text(w); return nil }, "markdown": b.Markdown, "csv": b.CSV, "html": b.HTML,
		"json": func(w io.Writer) error { return json.NewEncoder(w).Encode(b) }} {
		var s strings.Builder
		if err := write(&s); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(s.String(), note); n < len(b.Rows) {
			t.Errorf("%s says it %d times for %d rows", name, n, len(b.Rows))
		}
		if strings.Contains(strings.ToLower(s.String()), "best") || strings.Contains(s.String(), "fastest") {
			t.Errorf("%s calls a row the best", name)
		}
		if marks := strings.Count(s.String(), "float32 !"); name != "csv" && name != "json" && marks == 0 {
			t.Errorf("%s does not mark the row", name)
		}
	}
}

func TestBenchHTML(t *testing.T) {
	page := htmlOf(t, comparison().HTML)
	wellFormed(t, page)
	for _, want := range []string{"&lt;int8&gt;", `role="img" aria-labelledby="tradeoff-title tradeoff-desc"`, "<desc id=\"distribution-desc\">",
		"96.8", "why not in the delegate", "int16 activations", "2 January 2026, 03:04 UTC"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"<script", "<int8>", "http:", "https:", "ZgotmplZ", "NaN", "Inf"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
}

// Rows without anything optional, one row, and none, make a page all the same.
func TestBenchHTMLOfLittle(t *testing.T) {
	one := Bench{Rows: []BenchRow{{Model: "m.tflite", Runtime: ran, Accuracy: infer.NewAccuracy(1, 1), Latency: infer.Latency{Count: 1, P50: 5, P90: 5, P99: 5}}}}
	one.Compare()
	for _, b := range []Bench{{}, one} {
		page := htmlOf(t, b.HTML)
		wellFormed(t, page)
		if strings.Contains(page, "NaN") {
			t.Errorf("%d rows: the page has a NaN", len(b.Rows))
		}
	}
}

func htmlOf(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var s strings.Builder
	if err := write(&s); err != nil {
		t.Fatal(err)
	}
	return s.String()
}

// wellFormed reads a page as XML.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = true
	d.Entity = xml.HTMLEntity
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
	}
}

func TestLabels(t *testing.T) {
	row := func(model, delegate string, threads int) BenchRow {
		return BenchRow{Model: model, Runtime: Runtime{Placement: infer.Placement{Delegate: delegate}, Threads: threads}}
	}
	for _, test := range []struct {
		rows []BenchRow
		want string
	}{
		{[]BenchRow{row("a/x.tflite", "none", 1), row("a/y.tflite", "none", 1)}, "x; y"},
		{[]BenchRow{row("a/x.tflite", "none", 1), {Model: "a/y.tflite", Notes: []string{"held back"}}}, "x; y !"},
		{[]BenchRow{row("a/x.tflite", "none", 1), row("a/x.tflite", "xnnpack", 1)}, "x, none; x, xnnpack"},
		{[]BenchRow{row("a/x.tflite", "none", 1), row("a/x.tflite", "none", 4)}, "x, 1 thread; x, 4 threads"},
		{[]BenchRow{row("a/x.tflite", "none", 1), row("b/x.tflite", "none", 1)}, filepath.FromSlash("a/x; b/x")},
		{[]BenchRow{row("a/x.tflite", "none", 1), row("a/x.tflite", "none", 1)}, "1: x, none; 2: x, none"},
	} {
		if got := strings.Join(Bench{Rows: test.rows}.labels(), "; "); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// Ticks are round, within the scale, and neither too few nor too many.
func TestTicks(t *testing.T) {
	for _, s := range []scale{linear(64.88, 78.2, 0, 1), linear(0, 100, 0, 1), linear(71, 71, 0, 1), linear(-3e-5, 2e-5, 0, 1),
		logarithmic(16, 17000, 0, 1), logarithmic(40, 50, 0, 1), logarithmic(5, 5, 0, 1), logarithmic(1e-2, 1e7, 0, 1)} {
		ticks := s.ticks()
		if len(ticks) < 2 || len(ticks) > 12 {
			t.Errorf("%v: %d ticks %v", s, len(ticks), ticks)
		}
		for _, v := range ticks {
			if at := s.at(v); at < -1e-6 || at > 1+1e-6 {
				t.Errorf("%v: tick %v at %v", s, v, at)
			}
		}
	}
}

// Models have as much of their paths as tells them from one another, and rows what else it takes.
func TestBenchNames(t *testing.T) {
	type row struct {
		model, delegate string
		threads         int
	}
	for _, c := range []struct {
		rows          []row
		models, names []string
	}{
		{[]row{{"runs/a/float32.tflite", "native", 1}, {"runs/a/int8.tflite", "native", 1}}, []string{"float32", "int8"}, []string{"float32", "int8"}},
		{[]row{{"runs/a/int8.tflite", "native", 1}, {"runs/b/int8.tflite", "native", 1}}, []string{"a/int8", "b/int8"}, []string{"a/int8", "b/int8"}},
		{[]row{{"a/x/int8.tflite", "native", 1}, {"b/x/int8.tflite", "native", 1}}, []string{"a/x/int8", "b/x/int8"}, []string{"a/x/int8", "b/x/int8"}},
		{[]row{{"int8.tflite", "native", 1}, {"b/int8.tflite", "native", 1}}, []string{"int8", "b/int8"}, []string{"int8", "b/int8"}},
		{[]row{{"int8.tflite", "native", 1}, {"int8.tflite", "", 1}, {"int8.tflite", "", 4}}, []string{"int8", "int8", "int8"},
			[]string{"int8, native, 1 thread", "int8, none, 1 thread", "int8, none, 4 threads"}},
		{[]row{{"int8.tflite", "native", 1}, {"int8.tflite", "native", 1}}, []string{"int8", "int8"}, []string{"1: int8, native", "2: int8, native"}},
	} {
		var b Bench
		for _, r := range c.rows {
			b.Rows = append(b.Rows, BenchRow{Model: r.model, Runtime: Runtime{Placement: infer.Placement{Delegate: r.delegate}, Threads: r.threads}})
		}
		if got := b.models(); !slices.Equal(got, c.models) {
			t.Errorf("%v: models %q, want %q", c.rows, got, c.models)
		}
		if got := b.names(); !slices.Equal(got, c.names) {
			t.Errorf("%v: names %q, want %q", c.rows, got, c.names)
		}
		for i, cells := range b.cells(b.forPeople()) {
			if cells[0] != c.models[i] {
				t.Errorf("%v: row %d is called %q in the table, want %q", c.rows, i, cells[0], c.models[i])
			}
		}
	}
}

// Sixteen rows are told apart.
func TestSeries(t *testing.T) {
	seen := map[string]bool{}
	for i := range 2 * seriesStyles {
		if seen[series(i)] {
			t.Errorf("series %d looks like another: %s", i, series(i))
		}
		seen[series(i)] = true
	}
}
