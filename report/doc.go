// Package report gives measured figures their shape for people and for scripts.
//
//	Infer, Convert, Bench   what the commands answer, with stable JSON field names (report.go)
//	Bench                   one table of columns (bench.go), as Text, Markdown, CSV and HTML
//	Table                   text for a terminal (table.go), at most 80 columns where the content allows
//	Quantization            a conversion layer by layer (quantization.go), as HTML and as a picture
//	devices.go, profile.go  what devices there are, and where the time goes, as text
//	figure.go               a drawing without colours: svg.go puts it into a page, raster.go makes a PNG of it
//	benchfigures.go, layerfigures.go   the drawings of Bench and of Quantization
//	page.go                 pages of tables and drawings
//
// A page is one file: page.html is its templates, page.css what everything looks like, on light and dark screens and on
// paper. It loads nothing and runs nothing. Every number has its unit in its name or its heading, and travels with the
// conditions it was measured under.
package report
