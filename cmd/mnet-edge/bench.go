package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/convert"
	"mnet-edge/dataset"
	"mnet-edge/devices"
	"mnet-edge/infer"
	"mnet-edge/report"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "compare models, delegates and thread counts: accuracy, latency and memory in one table",
		ArgsUsage: "MODEL.tflite...",
		Description: `1. Float against int8:              mnet-edge bench --data cifar10-images.zip float32.tflite int8.tflite
2. What the delegate is worth:      mnet-edge bench --delegate none,xnnpack int8.tflite
3. Where threads stop paying:       mnet-edge bench --threads 1,2,4 int8.tflite
4. A page with pictures to show:    mnet-edge bench --profile --html bench.html float32.tflite int8.tflite
5. For a spreadsheet:               mnet-edge bench --csv float32.tflite int8.tflite > bench.csv
6. On a Raspberry Pi, from here:    mnet-edge bench --on pi@raspberrypi --on-binary mnet-edge/mnet-edge --html pi.html float32.tflite int8.tflite

Latency is measured in rounds that go through the rows forwards and backwards in turn, so that all rows share the
machine's good and bad moments. Speed-up and drop are against the first row. Without --data the images are of
fashion-mini, built in: a model of CIFAR-10's classes wants --data cifar10 in each of these.`,
		Flags: append(append([]cli.Flag{
			dataFlag("images for accuracy (default: fashion-mini, built in)"),
			splitFlag(),
			limitFlag(),
			&cli.StringFlag{Name: "delegate", Value: "auto", Usage: "`LIST` of names, comma-separated"},
			&cli.StringFlag{Name: "threads", Value: "1", Usage: "`LIST` of thread counts, comma-separated"},
			&cli.IntFlag{Name: "verify", Value: 100, Usage: "compare the answers to `N` of the images with the reference interpreter's; 0 leaves it out"},
			&cli.BoolFlag{Name: "profile", Usage: "where the time of a call goes, operator by operator"},
			&cli.BoolFlag{Name: "csv", Usage: "print comma-separated values instead of a table"},
			&cli.BoolFlag{Name: "markdown", Usage: "print a Markdown table"},
			&cli.StringFlag{Name: "html", Usage: "also write a page with pictures to `FILE`"},
			jsonFlag(),
		}, append(modelFlags(), remoteFlags()...)...), measureFlags(infer.HeadlineCalls, 1, stableSecs)...),
		Action: benchAction,
	}
}

func benchAction(c *cli.Context) error {
	if !c.Args().Present() {
		return usagef("bench wants at least one model")
	}
	if c.Int("verify") < 0 {
		return usagef("--verify wants at least 0")
	}
	if err := oneFormat(c, "json", "csv", "markdown"); err != nil {
		return err
	}
	if err := apart(append(c.Args().Slice(), c.String("data"), c.String("labels")), c.String("html")); err != nil {
		return err
	}
	page, err := newPage(c.String("html"))
	if err != nil {
		return err
	}
	defer page.abandon()
	opts, err := measureOptions(c)
	if err != nil {
		return err
	}
	remote, err := elsewhere(c)
	if err != nil {
		return err
	}
	var b *report.Bench
	if remote {
		b, err = benchOnRemote(c)
	} else {
		b, err = benchHere(c, opts)
	}
	if err != nil {
		return err
	}
	if err := page.write(b.HTML); err != nil {
		return err
	}
	switch w := c.App.Writer; {
	case c.Bool("json"):
		return writeJSON(w, b)
	case c.Bool("csv"):
		return b.CSV(w)
	case c.Bool("markdown"):
		return b.Markdown(w)
	default:
		b.Text(w)
	}
	return nil
}

// benchHere compares the models on this machine.
func benchHere(c *cli.Context, opts infer.MeasureOptions) (*report.Bench, error) {
	models, err := openAll(c)
	defer func() {
		for _, m := range models {
			m.session.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	return compare(c, models, opts)
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
	b := &report.Bench{Version: report.BenchVersion, Measured: time.Now().UTC(), Host: report.HostText(host)}
	sets := newImageSets(c, cmp.Or(c.String("data"), dataset.BuiltIn))
	verifiers := map[string]*infer.Verifier{} // by model
	var sessions []infer.Session
	var inputs [][]byte
	for _, m := range models {
		images, err := sets.of(m)
		if err != nil {
			return nil, err
		}
		row, err := benchRow(c, m, images)
		if err != nil {
			return nil, err
		}
		if row.Verified, err = verify(c, m, &images.split, verifiers); err != nil {
			return nil, err
		}
		b.Rows = append(b.Rows, row)
		b.Data = fmt.Sprintf("%s, %s images", images.set.Name, c.String("split"))
		sessions, inputs = append(sessions, m.session), append(inputs, images.first)
	}
	watch := devices.Watch(time.Second)
	latencies, err := infer.MeasureInterleaved(c.Context, sessions, inputs, opts)
	conditions := watch.Stop()
	if err != nil {
		return nil, err
	}
	b.Conditions = &conditions
	for i, l := range latencies {
		l.First = b.Rows[i].Latency.First
		b.Rows[i].Latency = l
	}
	if c.Bool("profile") {
		for i, m := range models {
			if b.Rows[i].Profile, err = profileOf(c, m, inputs[i]); err != nil {
				return nil, err
			}
		}
	}
	b.Compare()
	return b, nil
}

// benchRow is what there is to say of a model by itself; of its latency, the first call of all.
func benchRow(c *cli.Context, m *openedModel, images scoredImages) (row report.BenchRow, err error) {
	e, err := infer.Evaluate(c.Context, m.Model, m.session, images.all, infer.MeasureOptions{})
	if err != nil {
		return row, fmt.Errorf("%s: %w", m.path, err)
	}
	row = report.BenchRow{
		Model: m.path, Scheme: string(convert.SchemeOf(m.Graph)), SizeBytes: len(m.file), SHA256: sha256Hex(m.file),
		Runtime: m.ran, Accuracy: e.Accuracy, Right: e.Right, Around: e.Around, InitUS: infer.Microseconds(m.init),
		Latency: infer.Latency{First: e.Latency.First},
	}
	if row.MemoryBytes, err = memoryOf(c.Context, m); c.Context.Err() != nil {
		return row, c.Context.Err()
	} else if err != nil {
		say(c, "note: memory is unknown: %s", oneLine(err))
	}
	return row, nil
}

// verify holds a session's answers to the reference interpreter's, which are computed once for each model. nil: not
// asked for, or the reference cannot run the model.
func verify(c *cli.Context, m *openedModel, split *dataset.Split, done map[string]*infer.Verifier) (*infer.Agreement, error) {
	if c.Int("verify") == 0 {
		return nil, nil
	}
	v, ok := done[m.path]
	if !ok {
		some := split.Limit(c.Int("verify"))
		inputs, err := inputsOf(m.Model, &some)
		if err != nil {
			return nil, err
		}
		if v, err = infer.NewVerifier(c.Context, m.bytes, m.Model, inputs); errors.Is(err, infer.ErrModel) {
			say(c, "note: %s: not verified: %s", m.path, oneLine(err))
		} else if err != nil {
			return nil, err
		}
		done[m.path] = v
	}
	if v == nil {
		return nil, nil
	}
	a, err := v.Check(c.Context, m.session)
	return &a, err
}
