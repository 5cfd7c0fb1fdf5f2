package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"mnet-edge/infer"
)

// Pages are self-contained: style, pictures and text in one file that asks for nothing and runs nothing.

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"style":  func() template.CSS { return template.CSS(pageCSS) },
	"swatch": swatch,
	"bar":    bar,
}).Parse(pageHTML))

func writePage(w io.Writer, name string, data any) error {
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// swatch shows a style beside its meaning.
func swatch(k pageKey) template.HTML {
	if k.Area {
		return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 26 11" aria-hidden="true"><rect class="area %s" width="26" height="11"/></svg>`, k.Style))
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 26 11" aria-hidden="true"><line class="line %s" x1="0" x2="26" y1="6" y2="6"/></svg>`, k.Style))
}

// bar shows a share of 1.
func bar(share float64) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width="%.1f" height="10"/></svg>`, 100*min(max(share, 0), 1)))
}

// What the templates take.
type (
	pageTable struct {
		Caption string
		Head    []pageHead
		Rows    [][]pageCell
	}
	pageHead struct{ Name, Unit, Class string }
	pageCell struct {
		Text, Class string
		Bar         bool
		Share       float64
	}
	pageKey struct {
		Style, Text string
		Area        bool
	}
	pageFigure struct {
		SVG            template.HTML
		Title, Caption string
		Legend         []pageKey
	}
)

func (f figure) page() pageFigure {
	p := pageFigure{SVG: f.svg(), Title: f.title, Caption: cmp.Or(f.caption, f.desc)}
	for _, k := range f.legend {
		p.Legend = append(p.Legend, pageKey{k.style, k.text, k.area})
	}
	return p
}

// HTML writes the comparison as a page.
func (b Bench) HTML(w io.Writer) error {
	type profile struct {
		Name, Source string
		Kinds, Nodes pageTable
	}
	page := struct {
		Title, Subtitle string
		Table           pageTable
		Conditions      []string
		Figures         []pageFigure
		Profiles        []profile
	}{
		Title:      "mnet-edge bench",
		Subtitle:   fmt.Sprintf("%s on %s, %s", plural(len(b.Rows), "row"), b.Host, b.Measured.UTC().Format("2 January 2006, 15:04 UTC")),
		Table:      b.pageTable(),
		Conditions: b.conditions(),
	}
	for _, f := range b.figures() {
		page.Figures = append(page.Figures, f.page())
	}
	labels := b.labels()
	for i, r := range b.Rows {
		if r.Profile != nil {
			page.Profiles = append(page.Profiles, profile{labels[i], profileSource(*r.Profile), kindsTable(*r.Profile), nodesTable(*r.Profile)})
		}
	}
	return writePage(w, "bench", page)
}

func (b Bench) pageTable() pageTable {
	var t pageTable
	columns := b.forPeople()
	words := func(c benchColumn) string {
		if c.head == "model" || c.head == "ran on" {
			return "word"
		}
		return ""
	}
	for _, c := range columns {
		t.Head = append(t.Head, pageHead{c.head, c.unit, words(c)})
	}
	for i, cells := range b.cells(columns) {
		var row []pageCell
		for k, text := range cells {
			class := words(columns[k])
			if k == 0 && len(b.Rows[i].Notes) > 0 {
				class += " warn"
			}
			row = append(row, pageCell{Text: text, Class: class})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func kindsTable(p infer.Profile) pageTable {
	t := pageTable{Head: []pageHead{{"operator", "", "word"}, {"nodes", "", ""}, {"time", "µs a call", ""}, {"share", "%", ""}}}
	for _, k := range kinds(p) {
		t.Rows = append(t.Rows, []pageCell{{Text: k.op, Class: "word"}, {Text: fmt.Sprint(k.nodes)}, {Text: usText(k.us)},
			{Text: fmt.Sprintf("%.1f", 100*k.share), Bar: true, Share: k.share}})
	}
	return t
}

func nodesTable(p infer.Profile) pageTable {
	t := pageTable{Head: []pageHead{{"node", "", "word"}, {"operator", "", "word"}, {"ran on", "", "word"}, {"kernel", "", "word"},
		{"time", "µs a call", ""}, {"share", "%", ""}, {"why not in the delegate", "", "word"}}}
	for _, n := range p.Nodes {
		t.Rows = append(t.Rows, []pageCell{{Text: n.Name, Class: "word"}, {Text: n.Op, Class: "word"}, {Text: cmp.Or(n.Ran, "?"), Class: "word"},
			{Text: n.Kernel, Class: "word"}, {Text: usText(n.US)}, {Text: fmt.Sprintf("%.1f", 100*n.Share), Bar: true, Share: n.Share},
			{Text: n.Reason, Class: "long"}})
	}
	return t
}
