// Package report gives measured figures their shape for people and for scripts.
//
//	Infer, Convert, Bench   what the commands answer, with stable JSON field names
//	Bench                   one table of columns (bench.go), as Text, Markdown, CSV and HTML
//	Quantization            a conversion layer by layer, as HTML and as a picture
//	Table                   text for a terminal, at most 80 columns where the content allows
//	figure                  a drawing without colours: svg.go puts it into a page, raster.go makes a PNG of it
//
// A page is one file: page.html is its templates, page.css what everything looks like, on light and dark screens and on
// paper. It loads nothing and runs nothing. Every number has its unit in its name or its heading, and travels with the
// conditions it was measured under.
package report
