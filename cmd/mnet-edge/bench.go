package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mnet-edge/dataset"
	"mnet-edge/devices"
	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/report"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "compare models, delegates and thread counts: accuracy and latency in one table",
		ArgsUsage: "MODEL.tflite...",
		Description: `1. Float against int8:              mnet-edge bench --data cifar10-images.zip float32.tflite int8.tflite
2. What the delegate is worth:      mnet-edge bench --delegate none,xnnpack int8.tflite

Latency is measured in rounds that go through the rows forwards and backwards in turn, so that all rows share the
machine's good and bad moments.`,
		Flags: append(append([]cli.Flag{
			dataFlag("images for accuracy (default: fashion-mini, built in)"),
			&cli.StringFlag{Name: "split", Value: "test", Usage: "`test` or train"},
			&cli.IntFlag{Name: "limit", Usage: "take `N` images, spread evenly over the split"},
			&cli.StringFlag{Name: "delegate", Value: "auto", Usage: "`LIST` of names, comma-separated"},
			&cli.StringFlag{Name: "threads", Value: "1", Usage: "`LIST` of thread counts, comma-separated"},
			jsonFlag(),
		}, modelFlags()...), measureFlags(1024, 1)...),
		Action: benchAction,
	}
}

func benchAction(c *cli.Context) error {
	if !c.Args().Present() {
		return usagef("bench wants at least one model")
	}
	opts, err := measureOptions(c)
	if err != nil {
		return err
	}
	models, err := openAll(c)
	defer func() {
		for _, m := range models {
			m.session.Close()
		}
	}()
	if err != nil {
		return err
	}
	b, err := compare(c, models, opts)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, b)
	}
	b.Text(c.App.Writer)
	return nil
}

// openAll opens every model on every delegate with every number of threads.
func openAll(c *cli.Context) ([]*openedModel, error) {
	var all []*openedModel
	for _, path := range c.Args().Slice() {
		for _, delegate := range strings.Split(c.String("delegate"), ",") {
			for _, threads := range strings.Split(c.String("threads"), ",") {
				n, err := strconv.Atoi(threads)
				if err != nil {
					return all, usagef("--threads: %q is not a number", threads)
				}
				m, err := openModel(c, path, delegate, n)
				if err != nil {
					return all, err
				}
				all = append(all, m)
			}
		}
	}
	return all, nil
}

// compare scores each model, then times all of them in turn on the first image.
func compare(c *cli.Context, models []*openedModel, opts infer.MeasureOptions) (*report.Bench, error) {
	host, err := devices.Probe(c.Context)
	if err != nil {
		return nil, err
	}
	data := c.String("data")
	if data == "" {
		data = "fashion-mini"
	}
	sets := map[int]*dataset.Set{} // by image size
	var sessions []infer.Session
	var inputs [][]byte
	b := &report.Bench{Version: 1, Host: report.HostText(host)}
	for _, m := range models {
		set := sets[m.Height]
		if set == nil {
			if set, err = openData(c, data, m.Height); err != nil {
				return nil, err
			}
			sets[m.Height] = set
		}
		split, err := splitOf(set, c.String("split"))
		if err != nil {
			return nil, err
		}
		limited := split.Limit(c.Int("limit"))
		images, err := m.evaluationImages(set, &limited)
		if err != nil {
			return nil, err
		}
		accuracy, _, err := infer.Evaluate(c.Context, m.Model, m.session, images, opts.WarmupRuns)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.path, err)
		}
		in := make([]byte, m.Input.Type.Bytes())
		if err := m.Preprocess(in, limited.Image(0)); err != nil {
			return nil, err
		}
		sessions, inputs = append(sessions, m.session), append(inputs, in)
		b.Data = fmt.Sprintf("%s, %s images", set.Name, c.String("split"))
		b.Rows = append(b.Rows, report.BenchRow{
			Model: m.path, Scheme: schemeOf(m.Graph), SizeBytes: len(m.bytes), SHA256: sha256Hex(m.bytes),
			Runtime: m.ran, Accuracy: accuracy, InitUS: microseconds(m.init),
		})
	}
	latencies, err := infer.MeasureInterleaved(c.Context, sessions, inputs, opts)
	if err != nil {
		return nil, err
	}
	for i, l := range latencies {
		b.Rows[i].Latency = l
	}
	return b, nil
}

// schemeOf is the number format that most of the model's arithmetic is in.
func schemeOf(g *graph.Graph) string {
	if g.Level == graph.Quantized {
		return "int8"
	}
	return "float32"
}
