package main

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mnet-edge/convert"
	"mnet-edge/report"
)

// reportFlags are those of convert's report on paper.
func reportFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "report", Usage: "also write a page on what quantization cost, layer by layer, to `FILE`.html"},
		&cli.StringFlag{Name: "report-picture", Usage: "also write its pictures of errors and ranges to `FILE`.png or .svg"},
	}
}

// conversionFiles is what convert writes: the model, and what else is asked for.
type conversionFiles struct {
	model, dump, page, picture *page
	format                     string // of the picture
}

// newFiles begins them, the model's at output.
func newFiles(c *cli.Context, output string, scheme convert.Scheme) (r conversionFiles, err error) {
	picture := c.String("report-picture")
	if !scheme.Integer() && (picture != "" || c.String("report") != "") {
		return r, usagef("--report and --report-picture are about activations that become integers: convert with --int8, say")
	}
	r.format = strings.ToLower(strings.TrimPrefix(filepath.Ext(picture), "."))
	if picture != "" && r.format != "png" && r.format != "svg" {
		return r, usagef("--report-picture %s: want a name that ends in .png or .svg", picture)
	}
	if r.page, err = newPage(c.String("report")); err != nil {
		return r, err
	}
	if r.picture, err = newPage(picture); err != nil {
		return r, err
	}
	if r.dump, err = begin(c.String("dump")); err != nil {
		return r, err
	}
	r.model, err = begin(output)
	return r, err
}

func (r conversionFiles) abandon() {
	for _, p := range []*page{r.model, r.dump, r.page, r.picture} {
		p.abandon()
	}
}

// rangeSamples is how many samples the ranges of the channels are taken from.
const rangeSamples = 32

// writeReport runs the model over some of the samples it was calibrated on and writes the files.
func (j *job) writeReport(made report.Convert, result *convert.Result) error {
	if j.files.page == nil && j.files.picture == nil {
		return nil
	}
	some := j.set.Train.Limit(rangeSamples)
	ranges, err := convert.Ranges(j.c.Context, result.Graph, calibrationSamples(j.c, j.float, &some))
	if err != nil {
		return err
	}
	q := report.Quantization{Convert: made, Result: result, Ranges: ranges}
	if err := j.files.page.write(q.HTML); err != nil {
		return err
	}
	return j.files.picture.write(func(w io.Writer) error { return q.Picture(w, j.files.format) })
}
