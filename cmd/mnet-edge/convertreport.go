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

// conversionReport is the files that convert's report goes to.
type conversionReport struct {
	page, picture *page
	format        string // of the picture
}

// newReport begins the files that are asked for.
func newReport(c *cli.Context, scheme convert.Scheme) (r conversionReport, err error) {
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
	r.picture, err = newPage(picture)
	return r, err
}

func (r conversionReport) abandon() {
	r.page.abandon()
	r.picture.abandon()
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
