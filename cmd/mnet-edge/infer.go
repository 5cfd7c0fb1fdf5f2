package main

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/clock"
	"mnet-edge/dataset"
	"mnet-edge/devices"
	"mnet-edge/infer"
	"mnet-edge/report"
)

func inferCommand() *cli.Command {
	return &cli.Command{
		Name:      "infer",
		Usage:     "classify images, or measure a model on a set of them",
		ArgsUsage: "[IMAGE | FOLDER | PATTERN | -]...",
		Description: `1. What is in the picture:                      mnet-edge infer photo.png
2. Accuracy and latency over the test images:   mnet-edge infer --model m.tflite --data cifar10-images.zip
3. The same on TFLite's built-in kernels:       mnet-edge infer --model m.tflite --data cifar10-images.zip --delegate none
4. Every picture in a folder, for a program:    mnet-edge infer --json holiday/
5. A picture from another program:              camera-shot | mnet-edge infer -
6. A model from a stranger:                     mnet-edge infer --probe --model found.tflite photo.png
7. On a Raspberry Pi, from here:                mnet-edge infer --on pi@raspberrypi --on-binary mnet-edge/mnet-edge --model m.tflite photo.png
8. Which operators the time goes to:            mnet-edge infer --profile photo.png
9. On a GPU, or not at all:                     mnet-edge infer --strict --delegate gpu photo.png
10. On a delegate of your own:                  mnet-edge infer --delegate external=libmine.so photo.png`,
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "`M.tflite`, or builtin (default: the newest int8 model in a folder of runs, else the newest of any kind there, else the one built in)"},
			&cli.StringFlag{Name: "delegate", Value: "auto", Usage: "`NAME`, as devices lists them, or external=LIB"},
			&cli.IntFlag{Name: "threads", Value: 1, Usage: "`N` threads for the runtime"},
			&cli.IntFlag{Name: "top", Value: 5, Usage: "the `K` likeliest classes"},
			dataFlag("measure accuracy and latency on these images"),
			splitFlag(),
			limitFlag(),
			&cli.BoolFlag{Name: "profile", Usage: "where the time of a call goes, operator by operator"},
			jsonFlag(),
		}, append(modelFlags(), remoteFlags()...)...), measureFlags(10, 0, 0)...),
		Action: inferAction,
	}
}

func inferAction(c *cli.Context) error {
	data := c.String("data")
	switch {
	case data == "" && !c.Args().Present():
		return usagef("infer wants images, or --data")
	case data != "" && c.Args().Present():
		return usagef("infer takes images or --data, not both")
	case data != "" && anySet(c, "num-runs", "min-secs", "max-secs"):
		return usagef("--num-runs, --min-secs and --max-secs are about one image; with --data each image is one call")
	case data == "" && anySet(c, "split", "limit"):
		return usagef("--split and --limit are about --data")
	case data != "" && c.IsSet("top"):
		return usagef("--top is about pictures, not --data")
	case c.Int("top") < 1:
		return usagef("--top %d: want at least 1", c.Int("top"))
	}
	opts, err := measureOptions(c)
	if err != nil {
		return err
	}
	remote, err := elsewhere(c)
	if err != nil {
		return err
	}
	if remote {
		files, err := pictureFiles(c.Args().Slice())
		if err != nil {
			return err
		}
		return onRemote(c, files)
	}
	path := modelPath(c)
	m, err := openModel(c, path, c.String("delegate"), c.Int("threads"))
	if err != nil {
		return err
	}
	defer m.session.Close()
	r := report.Infer{Model: path, Runtime: m.ran, InitUS: infer.Microseconds(m.init)}
	if (data != "" || quotable(opts)) && !c.IsSet("warmup-max-secs") {
		opts.WarmupMaxSecs = stableSecs
	}
	if data != "" {
		err = evaluate(c, m, data, opts, &r)
	} else {
		err = classify(c, m, opts, &r)
	}
	if err != nil {
		return err
	}
	if c.Bool("profile") {
		if r.Profile, err = profileOf(c, m, m.firstInput); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, r)
	}
	r.Text(c.App.Writer)
	return nil
}

// anySet says whether one of the flags was given.
func anySet(c *cli.Context, flags ...string) bool { return slices.ContainsFunc(flags, c.IsSet) }

// quotable says whether the latency of one image is a figure that someone may quote, and not just an impression beside an answer.
func quotable(opts infer.MeasureOptions) bool { return opts.NumRuns >= infer.HeadlineCalls }

// watched looks at the machine while f measures, and notes in r what it saw.
func watched(c *cli.Context, r *report.Infer, f func() error) error {
	host, err := devices.Probe(c.Context)
	if err != nil {
		return err
	}
	r.Host = report.HostText(host)
	w := devices.Watch(time.Second)
	err = f()
	conditions := w.Stop()
	r.Conditions = &conditions
	return err
}

// evaluate measures accuracy and latency over a split.
func evaluate(c *cli.Context, m *openedModel, data string, opts infer.MeasureOptions, r *report.Infer) error {
	images, err := newImageSets(c, data).of(m)
	if err != nil {
		return err
	}
	m.firstInput = images.first
	var e infer.Evaluation
	err = watched(c, r, func() (err error) {
		e, err = infer.Evaluate(c.Context, m.Model, m.session, images.all, opts)
		return err
	})
	if err != nil {
		return err
	}
	r.Accuracy, r.Latency, r.Around = &e.Accuracy, e.Latency, e.Around
	if images.set.Lossy != "" {
		say(c, "note: %s is %s", images.set.Name, images.set.Lossy)
	}
	return nil
}

// classify answers for each image; the latency is measured on the first.
func classify(c *cli.Context, m *openedModel, opts infer.MeasureOptions, r *report.Infer) error {
	in, out := make([]byte, m.Input.Type.Bytes()), make([]byte, m.Output.Type.Bytes())
	scores := make([]float32, m.Classes)
	files, err := pictureFiles(c.Args().Slice())
	if err != nil {
		return err
	}
	var decode, before, after []time.Duration
	lap := func(start clock.Instant, to *[]time.Duration) { *to = append(*to, clock.Since(start)) }
	for i, path := range files {
		if err := c.Context.Err(); err != nil {
			return err
		}
		start := clock.Now()
		img, err := readPicture(c.Context, path, c.App.Reader)
		if err != nil {
			return err
		}
		rgb := dataset.ToRGB(img, m.Height, m.Width)
		lap(start, &decode)
		start = clock.Now()
		if err := m.Preprocess(in, rgb); err != nil {
			return err
		}
		if err := m.session.Write(in); err != nil {
			return err
		}
		lap(start, &before)
		if i == 0 {
			m.firstInput = bytes.Clone(in)
			measure := func() (err error) {
				r.Latency, err = infer.Measure(c.Context, m.session, in, opts)
				return err
			}
			if quotable(opts) {
				err = watched(c, r, measure)
			} else {
				err = measure()
			}
			if err != nil {
				return err
			}
		}
		start = clock.Now()
		if err := m.session.Invoke(); err != nil {
			return err
		}
		took := clock.Since(start)
		start = clock.Now()
		if err := m.session.Read(out); err != nil {
			return err
		}
		if err := m.Scores(scores, out); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		top := m.TopK(scores, c.Int("top"))
		lap(start, &after)
		r.Results = append(r.Results, report.Result{
			Image: path, InputSHA256: sha256Hex(in), OutputSHA256: sha256Hex(out), Top: top, LatencyUS: infer.Microseconds(took),
		})
	}
	r.Around = infer.Around{Decode: infer.MedianMicroseconds(decode), Preprocess: infer.MedianMicroseconds(before), Postprocess: infer.MedianMicroseconds(after)}
	return nil
}
