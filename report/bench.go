package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mnet-edge/devices"
	"mnet-edge/infer"
)

// BenchVersion is that of Bench's JSON.
const BenchVersion = 1

// Bench compares models, delegates and thread counts. All is relative to the first row.
type Bench struct {
	Version  int        `json:"version"` // BenchVersion
	Measured time.Time  `json:"measured"`
	Host     string     `json:"host"` // CPU model and cores
	Data     string     `json:"data"` // set and split the accuracy is about
	Rows     []BenchRow `json:"rows"`

	Conditions *devices.Conditions `json:"conditions,omitempty"` // while latency was measured
}

// BenchRow is one model on one delegate with one number of threads.
type BenchRow struct {
	Model       string           `json:"model"`
	Scheme      string           `json:"scheme"` // number format of the arithmetic, as convert names it: "float32", "int8"
	SizeBytes   int              `json:"size_bytes"`
	SHA256      string           `json:"sha256"`
	Runtime     Runtime          `json:"runtime"`
	Accuracy    infer.Accuracy   `json:"accuracy"`
	Right       []bool           `json:"-"`                   // of the images that accuracy is about, those classified right
	DropPoints  float64          `json:"drop_points"`         // percentage points of top-1 below the first row's
	DropCI95    *[2]float64      `json:"drop_ci95,omitempty"` // 95 % interval of DropPoints, image by image; left out of the first row
	Latency     infer.Latency    `json:"latency_us"`
	Around      infer.Around     `json:"around_us"`                // what an image takes besides a call
	Percentiles []float64        `json:"percentiles_us,omitempty"` // of the latency: 0 to 100 %
	SpeedUp     float64          `json:"speed_up"`                 // the first row's median over this one's
	SpeedUpCI   *[2]float64      `json:"speed_up_ci95,omitempty"`  // paired bootstrap interval; left out of the first row
	InitUS      float64          `json:"init_us"`
	MemoryBytes int64            `json:"memory_bytes,omitempty"` // what opening and running the model adds to a process, at its peak; 0 is unknown
	Verified    *infer.Agreement `json:"verified,omitempty"`     // left out where the reference cannot run the model
	Notes       []string         `json:"notes,omitempty"`        // why the row is not to be trusted
	Profile     *infer.Profile   `json:"profile,omitempty"`

	name string // of Model in a table; see Bench.models
}

// Compare completes the rows by what follows from several of their figures.
func (b *Bench) Compare() {
	for i := range b.Rows {
		r := &b.Rows[i]
		r.DropPoints = 100 * (b.Rows[0].Accuracy.Top1 - r.Accuracy.Top1)
		if i > 0 && len(r.Right) > 0 && len(r.Right) == len(b.Rows[0].Right) {
			r.DropCI95 = dropCI(infer.Pair(b.Rows[0].Right, r.Right))
		}
		r.SpeedUp = b.Rows[0].Latency.P50 / r.Latency.P50
		if ratio := r.Latency.Ratio(b.Rows[0].Latency); i > 0 && ratio.P50 > 0 {
			r.SpeedUpCI = &ratio.CI
		}
		r.Percentiles = r.Latency.Percentiles()
		if v := r.Verified; v != nil && !v.Trusted() {
			r.Notes = append(r.Notes, fmt.Sprintf("computes something else: the reference names the same class for %d of %d images", v.SameTop1, v.Inputs))
		}
		if c := b.Conditions; c != nil && len(c.Throttled) > 0 {
			r.Notes = append(r.Notes, "measured while the processor was held back: "+strings.Join(c.Throttled, "; "))
		}
	}
}

// benchColumn is a column of the comparison in each of its forms.
type benchColumn struct {
	head, unit string                // of a table for people
	key        string                // of a CSV file: the field's name in JSON, "" for what only people read
	text       func(BenchRow) string // what a person reads
	value      func(BenchRow) string // what a program reads
}

// benchColumns is every column. Another figure is another entry.
var benchColumns = []benchColumn{
	{"model", "", "model", func(r BenchRow) string { return r.name }, func(r BenchRow) string { return r.Model }},
	{"", "", "scheme", nil, func(r BenchRow) string { return r.Scheme }},
	{"size", "", "size_bytes", func(r BenchRow) string { return SizeText(r.SizeBytes) }, func(r BenchRow) string { return strconv.Itoa(r.SizeBytes) }},
	{"", "", "sha256", nil, func(r BenchRow) string { return r.SHA256 }},
	{"top-1 % [95 %]", "", "top1", func(r BenchRow) string { return top1Text(r.Accuracy) }, func(r BenchRow) string { return plain(r.Accuracy.Top1) }},
	{"", "", "top1_low", nil, func(r BenchRow) string { return plain(r.Accuracy.CI95[0]) }},
	{"", "", "top1_high", nil, func(r BenchRow) string { return plain(r.Accuracy.CI95[1]) }},
	{"", "", "images", nil, func(r BenchRow) string { return strconv.Itoa(r.Accuracy.N) }},
	{"drop points [95 %]", "", "drop_points", func(r BenchRow) string { return dropText(r.DropPoints, r.DropCI95) }, func(r BenchRow) string { return plain(r.DropPoints) }},
	{"", "", "drop_low", nil, func(r BenchRow) string { return bound(r.DropCI95, 0) }},
	{"", "", "drop_high", nil, func(r BenchRow) string { return bound(r.DropCI95, 1) }},
	microsecondColumn("p50", func(l infer.Latency) float64 { return l.P50 }),
	microsecondColumn("p90", func(l infer.Latency) float64 { return l.P90 }),
	microsecondColumn("p99", func(l infer.Latency) float64 { return l.P99 }),
	{"", "", "mean_us", nil, func(r BenchRow) string { return plain(r.Latency.Mean) }},
	{"", "", "stddev_us", nil, func(r BenchRow) string { return plain(r.Latency.StdDev) }},
	{"", "", "first_us", nil, func(r BenchRow) string { return plain(r.Latency.First) }},
	{"", "", "calls", nil, func(r BenchRow) string { return strconv.Itoa(r.Latency.Count) }},
	{"", "", "warmup_calls", nil, func(r BenchRow) string { return strconv.Itoa(r.Latency.Warmup.Calls) }},
	{"", "", "warmup_stable", nil, func(r BenchRow) string { return strconv.FormatBool(r.Latency.Warmup.Stable) }},
	{"", "", "preprocess_us", nil, func(r BenchRow) string { return plain(r.Around.Preprocess) }},
	{"", "", "postprocess_us", nil, func(r BenchRow) string { return plain(r.Around.Postprocess) }},
	{"speed-up [95 %]", "", "speed_up", speedUpText, func(r BenchRow) string { return plain(r.SpeedUp) }},
	{"", "", "speed_up_low", nil, func(r BenchRow) string { return bound(r.SpeedUpCI, 0) }},
	{"", "", "speed_up_high", nil, func(r BenchRow) string { return bound(r.SpeedUpCI, 1) }},
	{"", "", "init_us", nil, func(r BenchRow) string { return plain(r.InitUS) }},
	{"memory", "", "memory_bytes", memoryText, func(r BenchRow) string { return strconv.FormatInt(r.MemoryBytes, 10) }},
	{"same class", "", "same_top1", verifiedText, func(r BenchRow) string { return verifiedValue(r, func(a infer.Agreement) int { return a.SameTop1 }) }},
	{"", "", "same_bits", nil, func(r BenchRow) string { return verifiedValue(r, func(a infer.Agreement) int { return a.SameBits }) }},
	{"", "", "verified_inputs", nil, func(r BenchRow) string { return verifiedValue(r, func(a infer.Agreement) int { return a.Inputs }) }},
	{"ran on", "", "delegate_actual", func(r BenchRow) string { return r.Runtime.Where() }, func(r BenchRow) string { return r.Runtime.Delegate }},
	{"", "", "delegate_requested", nil, func(r BenchRow) string { return r.Runtime.Requested }},
	{"", "", "delegated_nodes", nil, func(r BenchRow) string { return strconv.Itoa(r.Runtime.DelegatedNodes) }},
	{"", "", "total_nodes", nil, func(r BenchRow) string { return strconv.Itoa(r.Runtime.TotalNodes) }},
	{"", "", "runtime", nil, func(r BenchRow) string { return r.Runtime.Name + " " + r.Runtime.Version }},
	{"threads", "", "threads", func(r BenchRow) string { return strconv.Itoa(r.Runtime.Threads) }, func(r BenchRow) string { return strconv.Itoa(r.Runtime.Threads) }},
	{"", "", "notes", nil, func(r BenchRow) string { return strings.Join(r.Notes, "; ") }},
}

func microsecondColumn(name string, of func(infer.Latency) float64) benchColumn {
	return benchColumn{name, "µs", name + "_us", func(r BenchRow) string { return usText(of(r.Latency)) }, func(r BenchRow) string { return plain(of(r.Latency)) }}
}

func (c benchColumn) heading() string { return strings.TrimSpace(c.head + " " + c.unit) }

// forPeople are the columns that a person reads; that of threads only where it says something.
func (b Bench) forPeople() []benchColumn {
	return slices.DeleteFunc(slices.Clone(benchColumns), func(c benchColumn) bool {
		same := !slices.ContainsFunc(b.Rows, func(r BenchRow) bool { return r.Runtime.Threads != b.Rows[0].Runtime.Threads })
		return c.text == nil || c.head == "threads" && same
	})
}

func plain(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func noMinusZero(v float64) float64 {
	if v > -0.005 && v < 0.005 {
		return 0
	}
	return v
}

// usText is a time in microseconds with three digits at least where it is short.
func usText(us float64) string {
	switch {
	case us < 9.995:
		return fmt.Sprintf("%.2f", us)
	case us < 99.95:
		return fmt.Sprintf("%.1f", us)
	}
	return fmt.Sprintf("%.0f", us)
}

func top1Text(a infer.Accuracy) string {
	return fmt.Sprintf("%.2f [%.2f, %.2f]", 100*a.Top1, 100*a.CI95[0], 100*a.CI95[1])
}

func speedUpText(r BenchRow) string {
	s := fmt.Sprintf("%.2f", r.SpeedUp)
	if ci := r.SpeedUpCI; ci != nil {
		s += fmt.Sprintf(" [%.2f, %.2f]", ci[0], ci[1])
	}
	return s
}

// bound is the lower (0) or the upper (1) end of an interval, if there is one.
func bound(ci *[2]float64, which int) string {
	if ci == nil {
		return ""
	}
	return plain(ci[which])
}

func memoryText(r BenchRow) string {
	if r.MemoryBytes == 0 {
		return "–"
	}
	return SizeText(int(r.MemoryBytes))
}

// verifiedText is the images of the same class as the reference's, and "=" where all outputs have the same bits.
func verifiedText(r BenchRow) string {
	if r.Verified == nil {
		return "–"
	}
	s := fmt.Sprintf("%d/%d", r.Verified.SameTop1, r.Verified.Inputs)
	if r.Verified.SameBits == r.Verified.Inputs {
		s += " ="
	}
	return s
}

func verifiedValue(r BenchRow, of func(infer.Agreement) int) string {
	if r.Verified == nil {
		return ""
	}
	return strconv.Itoa(of(*r.Verified))
}

// cells are the rows as people read them; one that is not to be trusted is marked.
func (b Bench) cells(columns []benchColumn) [][]string {
	var rows [][]string
	models := b.models()
	for i, r := range b.Rows {
		r.name = models[i]
		var cells []string
		for k, c := range columns {
			text := c.text(r)
			if k == 0 && len(r.Notes) > 0 {
				text += untrusted
			}
			cells = append(cells, text)
		}
		rows = append(rows, cells)
	}
	return rows
}

// Text writes the comparison as a table, its conditions below.
func (b Bench) Text(w io.Writer) {
	columns := b.forPeople()
	var head []any
	for _, c := range columns {
		head = append(head, c.heading())
	}
	t := NewTable(w, head...)
	for _, cells := range b.cells(columns) {
		var row []any
		for _, c := range cells {
			row = append(row, c)
		}
		t.Row(row...)
	}
	t.Render()
	fmt.Fprintln(w)
	for _, line := range b.conditions() {
		fmt.Fprintln(w, line)
	}
	models := b.models()
	for i, r := range b.Rows {
		if r.Profile != nil {
			fmt.Fprintf(w, "\n%s on %s\n", models[i], r.Runtime.Where())
			kindsText(w, *r.Profile)
		}
	}
}

// markdownText keeps a text within its cell or line, and what looks like a tag in it from being one.
var markdownText = strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ")

// Markdown writes the comparison as a table of GitHub's flavour.
func (b Bench) Markdown(w io.Writer) error {
	columns := b.forPeople()
	var lines []string
	row := func(cells []string) {
		for i, c := range cells {
			cells[i] = markdownText.Replace(c)
		}
		lines = append(lines, "| "+strings.Join(cells, " | ")+" |")
	}
	var head, rule []string
	for i, c := range columns {
		head = append(head, c.heading())
		rule = append(rule, map[bool]string{true: "---", false: "---:"}[i == 0])
	}
	row(head)
	row(rule)
	for _, cells := range b.cells(columns) {
		row(cells)
	}
	lines = append(lines, "")
	for _, line := range b.conditions() {
		lines = append(lines, "- "+markdownText.Replace(line))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// CSV writes the comparison for programs: a line of field names, a line a row, full precision.
func (b Bench) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	var line []string
	for _, col := range benchColumns {
		line = append(line, col.key)
	}
	c.Write(line)
	for _, r := range b.Rows {
		line = line[:0]
		for _, col := range benchColumns {
			line = append(line, col.value(r))
		}
		c.Write(line)
	}
	c.Flush()
	return c.Error()
}

// conditions are what the figures hold under, and the rows' notes.
func (b Bench) conditions() []string {
	if len(b.Rows) == 0 {
		return nil
	}
	lines := []string{fmt.Sprintf("%s, %s; %s", b.Data, plural(b.Rows[0].Accuracy.N, "image"), b.Host)}
	add := func(line string) {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if b.Conditions != nil {
		add(conditionsText(*b.Conditions))
	}
	for _, r := range b.Rows {
		add(fmt.Sprintf("%s (%s), %s", r.Runtime.Name, r.Runtime.Version, plural(r.Runtime.Threads, "thread")))
	}
	add(b.callsText())
	add(b.aroundText())
	if slices.ContainsFunc(b.Rows, func(r BenchRow) bool { return r.Verified != nil }) {
		add("same class: as the reference interpreter's, on that many images; = means the same bits throughout")
	}
	models := b.models()
	for i, r := range b.Rows {
		for _, n := range r.Notes {
			add(fmt.Sprintf("! row %d, %s: %s", i+1, models[i], n))
		}
	}
	return lines
}

// callsText is how often the rows were called, and which of the figures are not for quoting.
func (b Bench) callsText() string {
	few, most := b.Rows[0].Latency.Count, 0
	var restless []string
	for i, r := range b.Rows {
		few, most = min(few, r.Latency.Count), max(most, r.Latency.Count)
		if w := r.Latency.Warmup; w.Calls > 0 && !w.Stable {
			restless = append(restless, strconv.Itoa(i+1))
		}
	}
	text := fmt.Sprintf("%s a row", plural(few, "call"))
	if most > few {
		text = fmt.Sprintf("%d to %s a row", few, plural(most, "call"))
	}
	if few < infer.HeadlineCalls {
		text += fmt.Sprintf(", an impression: figures to quote take %d", infer.HeadlineCalls)
	}
	if restless != nil {
		text += "; not stable when the warm-up ended: row " + strings.Join(restless, ", ")
	}
	return text
}

// aroundText is what an image takes besides a call.
func (b Bench) aroundText() string {
	span := func(of func(infer.Around) float64) string {
		lo, hi := of(b.Rows[0].Around), 0.0
		for _, r := range b.Rows {
			lo, hi = min(lo, of(r.Around)), max(hi, of(r.Around))
		}
		if usText(lo) == usText(hi) {
			return usText(hi)
		}
		return usText(lo) + " to " + usText(hi)
	}
	return fmt.Sprintf("not in a call, an image: preprocess %s µs, postprocess %s µs",
		span(func(a infer.Around) float64 { return a.Preprocess }), span(func(a infer.Around) float64 { return a.Postprocess }))
}

// conditionsText is what is known of the machine while latency was measured.
func conditionsText(c devices.Conditions) string {
	var parts []string
	extremes := func(name string, e devices.Extremes, format, unit string) {
		switch lo, hi := fmt.Sprintf(format, e.Min), fmt.Sprintf(format, e.Max); {
		case e == devices.Extremes{}:
		case lo == hi:
			parts = append(parts, name+" "+hi+unit)
		default:
			parts = append(parts, name+" "+lo+" to "+hi+unit)
		}
	}
	extremes("load", c.Load, "%.1f", "")
	extremes("clock", c.FreqMHz, "%.0f", " MHz")
	extremes("temperature", c.TemperatureC, "%.0f", " °C")
	if c.Governor != "" {
		parts = append(parts, "governor "+c.Governor)
	}
	if len(c.Throttled) > 0 {
		parts = append(parts, "held back: "+strings.Join(c.Throttled, "; "))
	}
	if len(parts) == 0 {
		return "of the machine's state while measuring nothing is known"
	}
	return "while measuring: " + strings.Join(parts, ", ")
}

// labels name the rows, each by as much as it takes to tell it from the others; one that is not to be trusted is marked.
func (b Bench) labels() []string {
	names := b.names()
	for i, r := range b.Rows {
		if len(r.Notes) > 0 {
			names[i] += untrusted
		}
	}
	return names
}

// untrusted marks the name of a row that has notes.
const untrusted = " !"

func (b Bench) names() []string {
	models := b.models()
	model := func(i int) string { return models[i] }
	delegate := func(i int) string { return cmp.Or(b.Rows[i].Runtime.Delegate, infer.NoDelegate) }
	threads := func(i int) string { return plural(b.Rows[i].Runtime.Threads, "thread") }
	names := make([]string, len(b.Rows))
	for _, parts := range [][]func(i int) string{{model}, {model, delegate}, {model, threads}, {model, delegate, threads}} {
		for i := range b.Rows {
			var words []string
			for _, p := range parts {
				words = append(words, p(i))
			}
			names[i] = strings.Join(words, ", ")
		}
		if len(slices.Compact(slices.Sorted(slices.Values(names)))) == len(names) {
			return names
		}
	}
	for i := range b.Rows { // rows of one model, all alike
		names[i] = fmt.Sprintf("%d: %s, %s", i+1, models[i], delegate(i))
	}
	return names
}

// models names each row's model by as much of its path as tells it from the others.
func (b Bench) models() []string {
	names := make([]string, len(b.Rows))
	for folders := 0; ; folders++ {
		means := map[string]string{}
		ambiguous, more := false, false // more: a path has folders left
		for i, r := range b.Rows {
			path := strings.Split(filepath.ToSlash(strings.TrimSuffix(r.Model, ".tflite")), "/")
			from := max(len(path)-1-folders, 0)
			names[i] = strings.Join(path[from:], "/")
			more = more || from > 0
			ambiguous = ambiguous || means[names[i]] != "" && means[names[i]] != r.Model
			means[names[i]] = r.Model
		}
		if !ambiguous || !more {
			return names
		}
	}
}
