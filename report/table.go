package report

import (
	"io"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Table is a borderless text table.
type Table struct {
	w       table.Writer
	columns int
}

// NewTable returns a table that renders to w. With a header, all columns but the first are aligned right; without one
// the first column is read as the names of the second.
func NewTable(w io.Writer, header ...any) Table {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.Options{SeparateColumns: false, SeparateHeader: true}
	t.Style().Box.PaddingLeft = ""
	t.Style().Box.PaddingRight = "  "
	t.Style().Format.Header = text.FormatDefault
	t.SuppressTrailingSpaces()
	if len(header) > 0 {
		t.AppendHeader(header)
	}
	n := Table{t, len(header)}
	n.words()
	return n
}

// words makes the numbered columns, from 1, left-aligned like the first, beside others of numbers.
func (t Table) words(columns ...int) {
	var all []table.ColumnConfig
	for i := range t.columns {
		c := table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight}
		if i == 0 || slices.Contains(columns, i+1) {
			c.Align, c.AlignHeader = text.AlignLeft, text.AlignLeft
		}
		all = append(all, c)
	}
	t.w.SetColumnConfigs(all)
}

// Row appends a row.
func (t Table) Row(cells ...any) { t.w.AppendRow(cells) }

// Render writes the table.
func (t Table) Render() { t.w.Render() }
