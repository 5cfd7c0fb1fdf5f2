package report

import (
	"fmt"
	"io"
	"strings"

	"mnet-edge/convert"
)

// Quantization is a conversion seen layer by layer: what it cost, and where.
type Quantization struct {
	Convert
	Result *convert.Result
	Ranges []convert.LayerRanges
}

// layerColumn is a column of the table of layers. Another figure of a LayerReport is another entry.
type layerColumn struct {
	head, unit string
	text       func(convert.LayerReport) string
}

var layerColumns = []layerColumn{
	{"layer", "", func(l convert.LayerReport) string { return shorten(l.Name, 40) }},
	{"operator", "", func(l convert.LayerReport) string { return l.Op }},
	{"weights' SNR", "dB", func(l convert.LayerReport) string { return fmt.Sprintf("%.1f", l.WeightSNR) }},
	{"output's SNR", "dB", func(l convert.LayerReport) string { return fmt.Sprintf("%.1f", l.ActivationSNR) }},
	{"cosine", "", func(l convert.LayerReport) string { return fmt.Sprintf("%.5f", l.Cosine) }},
	{"clipped", "%", func(l convert.LayerReport) string { return fmt.Sprintf("%.3f", 100*l.Clipped) }},
	{"dead channels", "", func(l convert.LayerReport) string { return fmt.Sprint(l.DeadChannels) }},
	{"bias headroom", "bits", func(l convert.LayerReport) string { return fmt.Sprintf("%.1f", l.BiasHeadroom) }},
	{"output from", "", func(l convert.LayerReport) string { return fmt.Sprintf("%.4g", l.OutputMin) }},
	{"to", "", func(l convert.LayerReport) string { return fmt.Sprintf("%.4g", l.OutputMax) }},
	{"answers kept, it alone in integers", "%", aloneText},
}

// aloneText is empty where it was not asked what a layer costs by itself.
func aloneText(l convert.LayerReport) string {
	if l.Alone == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", 100*l.Alone.Agreement)
}

// shorten keeps the ends of a long name, which tell it from others: a layer's its last part, a model's its first folder.
func shorten(name string, most int) string {
	if r := []rune(name); len(r) > most {
		head := most / 3
		return string(r[:head]) + "…" + string(r[len(r)-(most-head-1):])
	}
	return name
}

// HTML writes the report as a page.
func (q Quantization) HTML(w io.Writer) error {
	page := struct {
		Title, Subtitle string
		Facts           []fact
		Figures, Wide   []pageFigure
		Layers, Trials  pageTable
	}{
		Title:    "mnet-edge convert",
		Subtitle: fmt.Sprintf("%s, made of %s", q.Output, q.Input),
		Facts:    q.facts(),
		Layers:   q.layerTable(),
		Trials:   q.trialTable(),
	}
	for _, f := range q.figures() {
		if f.height > 500 {
			page.Wide = append(page.Wide, f.page())
		} else {
			page.Figures = append(page.Figures, f.page())
		}
	}
	return writePage(w, "quantization", page)
}

type fact struct{ Name, Value string }

func (q Quantization) facts() []fact {
	rc := q.Result.Recipe
	fs := []fact{
		{"model", q.Output}, {"scheme", q.Scheme}, {"size", SizeText(q.SizeBytes)}, {"sha256", q.SHA256},
		{"recipe", fmt.Sprintf("equalize %s, bias correction %s, adaptive rounding %s", rc.Equalize, rc.CorrectBias, rc.RoundWeights)},
	}
	if c := q.Result.Calibration; c != nil {
		enough := "more samples would still move the ranges"
		if c.Enough {
			enough = "enough: the last doubling hardly moved a range"
		}
		fs = append(fs, fact{"calibration", fmt.Sprintf("%s over %s, %s", c.Observer, plural(c.Samples, "sample"), enough)})
	}
	if q.Top1 != nil {
		fs = append(fs, fact{"top-1", q.Cost() + ", in brackets what holds it with 95 % confidence"})
	}
	if w, ok := q.worst(); ok {
		fs = append(fs, fact{"worst layer", fmt.Sprintf("%s: its output at %.1f dB signal to noise", shorten(w.Name, 60), w.ActivationSNR)})
	}
	return fs
}

// worst is the layer whose output is furthest from the float network's.
func (q Quantization) worst() (w convert.LayerReport, ok bool) {
	for i, l := range q.Result.Layers {
		if i == 0 || l.ActivationSNR < w.ActivationSNR {
			w = l
		}
	}
	return w, len(q.Result.Layers) > 0
}

func (q Quantization) layerTable() pageTable {
	var t pageTable
	class := func(i int) string {
		if i < 2 {
			return "word"
		}
		return ""
	}
	for i, c := range layerColumns {
		t.Head = append(t.Head, pageHead{c.head, c.unit, class(i)})
	}
	for _, l := range q.Result.Layers {
		var row []pageCell
		for i, c := range layerColumns {
			row = append(row, pageCell{Text: c.text(l), Class: class(i)})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (q Quantization) trialTable() pageTable {
	t := pageTable{Head: []pageHead{{"observer", "", "word"}, {"equalize", "", "word"}, {"bias correction", "", "word"}, {"adaptive rounding", "", "word"},
		{"outputs' SNR", "dB", ""}, {"outcome", "", "word"}}}
	for _, tr := range q.Result.Trials {
		r := tr.Recipe
		snr, note := fmt.Sprintf("%.2f", tr.OutputSNR), ""
		switch {
		case tr.Refused != "":
			snr, note = "–", tr.Refused
		case tr.Picked:
			note = "picked"
		}
		t.Rows = append(t.Rows, []pageCell{{Text: r.Observer, Class: "word"}, {Text: r.Equalize, Class: "word"}, {Text: r.CorrectBias, Class: "word"},
			{Text: r.RoundWeights, Class: "word"}, {Text: snr}, {Text: note, Class: "word"}})
	}
	return t
}

// figures are the conversion's pictures: errors, ranges, and whether the samples were enough.
func (q Quantization) figures() []figure {
	var fs []figure
	if len(q.Result.Layers) > 0 {
		fs = append(fs, q.errors())
	}
	if len(q.Ranges) > 0 {
		fs = append(fs, q.spreads("weights", "Weights, channel by channel", "real value of the weights",
			"Each shape is a layer, its channels ordered by their largest weight from top to bottom, each from its smallest to its largest weight. "+
				"The grey band is the layer's extent: a channel that is thin within it has few steps, unless it has a scale of its own.",
			func(l convert.LayerRanges) ([]span, span) {
				all := extents(l.Weights)
				return all, union(all)
			}),
			q.spreads("outputs", "Outputs, channel by channel", "real value of the output",
				"Each shape is a layer, its channels ordered by their largest output from top to bottom, each over the samples' outputs. "+
					"The grey band is what the layer's integers can hold: what no channel reaches is wasted, a channel that is thin within it has few steps.",
				func(l convert.LayerRanges) ([]span, span) {
					return extents(l.Outputs), span{float64(l.Span.Min), float64(l.Span.Max)}
				}))
	}
	if c := q.Result.Calibration; c != nil && len(c.Curve) > 1 {
		fs = append(fs, convergence(*c))
	}
	return fs
}

// Picture is the errors and the ranges as one drawing, for a file of its own.
func (q Quantization) picture() figure {
	return stack("quantization", "Errors and ranges of "+q.Output, q.figures())
}

// Picture writes the errors and the ranges as a picture of a format, "svg" or "png".
func (q Quantization) Picture(w io.Writer, format string) error {
	f := q.picture()
	switch strings.ToLower(format) {
	case "svg":
		return f.writeSVG(w)
	case "png":
		return f.writePNG(w)
	}
	return fmt.Errorf("report: picture of format %q: want svg or png", format)
}
