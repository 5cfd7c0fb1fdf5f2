package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/clock"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/report"
)

// metadataFlags say what a model without metadata leaves open, or what is to hold in place of its own.
func metadataFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "mean", Usage: "input = (pixel - `M`) / S, where a model file does not say so, or in place of what it says; one value, or R,G,B"},
		&cli.StringFlag{Name: "std", Usage: "`S` of --mean; one value, or R,G,B"},
		&cli.StringFlag{Name: "labels", Usage: "`FILE` with a label a line, where a model does not say its labels, or in place of them"},
	}
}

// modelFlags are those of every command that runs a model.
func modelFlags() []cli.Flag {
	return append(metadataFlags(),
		kernelsFlag(),
		&cli.BoolFlag{Name: "strict", Usage: "exit with 6 if anything but the delegate asked for would run"},
		&cli.StringFlag{Name: "xnnpack-cache", Usage: "keep the weights that XNNPACK packs in `DIR`, for a shorter start the next time"},
		&cli.BoolFlag{Name: "partial", Usage: "of a model that ends in operators unknown here, run what comes before them"},
		&cli.BoolFlag{Name: "probe", Usage: "try the model in a child process first, where a crash costs nothing"})
}

// stableSecs is how long a warm-up may take where the figures are to be quoted.
const stableSecs = 2

// measureFlags have the names and the meaning of TFLite's benchmark_model, all but --warmup-max-secs, which it lacks.
func measureFlags(runs int, minSecs, warmupMaxSecs float64) []cli.Flag {
	warmupText := fmt.Sprint(warmupMaxSecs)
	if warmupMaxSecs == 0 {
		warmupText = fmt.Sprintf("0; %d with --data, or from --num-runs %d on", stableSecs, infer.HeadlineCalls)
	}
	return []cli.Flag{
		&cli.IntFlag{Name: "warmup-runs", Value: 10, Usage: "at least `N` calls before the timed ones"},
		&cli.Float64Flag{Name: "warmup-min-secs", Usage: "and at least `S` seconds of them"},
		&cli.Float64Flag{Name: "warmup-max-secs", Value: warmupMaxSecs, DefaultText: warmupText, Usage: "and until their times are stable, for at most `S` seconds"},
		&cli.IntFlag{Name: "num-runs", Value: runs, Usage: "at least `N` timed calls"},
		&cli.Float64Flag{Name: "min-secs", Value: minSecs, Usage: "and at least `S` seconds of them"},
		&cli.Float64Flag{Name: "max-secs", Value: 150, Usage: "but no more than `S` seconds"},
	}
}

func measureOptions(c *cli.Context) (infer.MeasureOptions, error) {
	o := infer.MeasureOptions{
		WarmupRuns: c.Int("warmup-runs"), WarmupMinSecs: c.Float64("warmup-min-secs"), WarmupMaxSecs: c.Float64("warmup-max-secs"),
		NumRuns: c.Int("num-runs"), MinSecs: c.Float64("min-secs"), MaxSecs: c.Float64("max-secs"),
	}
	if o.WarmupRuns < 0 || !(o.WarmupMinSecs >= 0) || !(o.WarmupMaxSecs >= 0) || o.NumRuns < 1 || !(o.MinSecs >= 0) || !(o.MaxSecs > 0) {
		return o, usagef("--num-runs wants at least 1, --max-secs more than 0, the other flags of measuring at least 0")
	}
	return o, nil
}

// given is what the flags say about a model beside its file.
func given(c *cli.Context) (infer.Given, error) {
	var g infer.Given
	var err error
	if g.Mean, err = numbers(c.String("mean")); err != nil {
		return g, usagef("--mean: %w", err)
	}
	if g.Std, err = numbers(c.String("std")); err != nil {
		return g, usagef("--std: %w", err)
	}
	if (g.Mean == nil) != (g.Std == nil) {
		return g, usagef("--mean and --std go together: one value, or R,G,B")
	}
	if slices.ContainsFunc(g.Std, func(x float32) bool { return x <= 0 }) {
		return g, usagef("--std %s: want more than 0", c.String("std"))
	}
	if path := c.String("labels"); path != "" {
		b, err := readFile(path, 1<<20, "1 MiB")
		if err != nil {
			return g, err
		}
		g.Labels = textLines(b)
	}
	return g, nil
}

// textLines are the lines of a text as any system writes it: a mark at its start and returns before line ends are no part of
// them, nor are blank lines at its end.
func textLines(b []byte) []string {
	text := strings.ReplaceAll(strings.TrimPrefix(string(b), "\ufeff"), "\r\n", "\n")
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}

func numbers(list string) ([]float32, error) {
	if list == "" {
		return nil, nil
	}
	var xs []float32
	for _, s := range strings.Split(list, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("%q is not a number", s)
		}
		xs = append(xs, float32(x))
	}
	if len(xs) != 1 && len(xs) != 3 {
		return nil, fmt.Errorf("%d values: want one, or R,G,B", len(xs))
	}
	return xs, nil
}

// openedModel is a model with the session that runs it.
type openedModel struct {
	*infer.Model
	path    string
	file    []byte
	bytes   []byte // what runs: the file, or with --partial what comes before the operators left out
	session infer.Session
	opened  string // the delegate that it was opened with: that asked for, or auto in its place
	runtime infer.Runtime
	ran     report.Runtime
	init    time.Duration // from the model's bytes to a session ready to run, on what runs it: attempts on others are not in it

	leftOut    []string // operators of the file that bytes lacks
	judgedBy   string   // the delegate that a foreign one's answers were compared with
	firstInput []byte   // the tensor of the first image that infer ran
}

// openModel reads a model and opens it with the delegate asked for, or, unless --strict, with what there is instead.
// The caller closes the session.
func openModel(c *cli.Context, path, delegate string, threads int) (*openedModel, error) {
	if threads < 1 || threads > infer.MaxThreads {
		return nil, usagef("%d threads: want 1 to %d", threads, infer.MaxThreads)
	}
	known, err := given(c)
	if err != nil {
		return nil, err
	}
	b, err := readModel(path)
	if err != nil {
		return nil, err
	}
	o := &openedModel{path: path, file: b, bytes: b}
	o.Model, err = infer.Load(b, known)
	if errors.Is(err, tflite.ErrUnsupported) {
		err = o.loadHead(c, known, err)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
		if errors.Is(err, infer.ErrMetadata) {
			err = withHint(err, "say how pixels become its input: --mean M --std S")
		}
		return nil, err
	}
	opts := infer.Options{Delegate: delegate, Threads: threads, Cache: c.String("xnnpack-cache")}
	err = o.open(c, opts)
	if errors.Is(err, infer.ErrUnavailable) && !c.Bool("strict") {
		why := oneLine(err)
		opts.Delegate = infer.Auto
		if err = o.open(c, opts); err == nil {
			o.ran.PassedOver = append([]string{why}, o.ran.PassedOver...)
			say(c, "note: %s; running on %s instead", why, o.ran.Delegate)
		}
	}
	switch {
	case errors.Is(err, infer.ErrUnavailable) && c.Bool("strict"):
		return nil, fmt.Errorf("%w: %w", errDelegate, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	o.ran.Requested = delegate
	if err := o.judge(c, delegate); err != nil {
		o.session.Close()
		return nil, fmt.Errorf("%w: %w", errDelegate, err)
	}
	return o, nil
}

// loadHead loads, of a model refused for the operators that it ends in, what comes before them, if --partial allows it.
func (o *openedModel) loadHead(c *cli.Context, known infer.Given, refusal error) error {
	g, tail, err := tflite.DecodeHead(o.bytes)
	switch {
	case err != nil || tail == nil:
		return refusal
	case !c.Bool("partial"):
		return withHint(refusal, "run what comes before such operators: --partial")
	}
	if given := tail.Given(); given > 0 {
		g.Outputs = g.Outputs[:given]
	}
	g.RemoveUnread() // what was for the operators left out alone
	if o.bytes, err = tflite.Encode(g); err == nil {
		o.Model, err = infer.Load(o.bytes, known)
	}
	o.leftOut = tail.Operators()
	return err
}

// open tries the delegate in a child process, if it is a foreign one or --probe wants it, and opens the model with it.
func (o *openedModel) open(c *cli.Context, opts infer.Options) error {
	if err := checkDelegate(opts.Delegate); err != nil {
		return err
	}
	o.ran = report.Runtime{Threads: opts.Threads, LeftOut: o.leftOut}
	t := trial{Delegate: opts.Delegate, Threads: opts.Threads, Cache: opts.Cache}
	var err error
	switch {
	case foreign(opts.Delegate):
		o.ran.Verified, o.judgedBy, err = vet(c.Context, o.Model, o.bytes, t)
	case c.Bool("probe"):
		_, err = probe(c.Context, o.bytes, t)
	}
	if err != nil {
		return err
	}
	var start clock.Instant
	opts.Trying = func(infer.Runtime) { start = clock.Now() }
	opts.PassedOver = func(_ infer.Runtime, reason error) {
		o.ran.PassedOver = append(o.ran.PassedOver, oneLine(reason))
		start = clock.Now() // a runtime may go on with another delegate
	}
	runtime, session, err := infer.Open(runtimes(), o.bytes, opts)
	if err != nil {
		return err
	}
	o.init = clock.Since(start)
	o.session, o.runtime, o.opened = session, runtime, opts.Delegate
	o.ran.Name, o.ran.Version, o.ran.Placement = runtime.Name(), runtime.Version(), session.Placement()
	if gpu := adapterOf(session); gpu != "" {
		o.ran.Version += ", " + gpu
	}
	if s, ok := session.(infer.Threaded); ok {
		o.ran.Threads = s.Threads()
	}
	if runtime == reference {
		o.ran.Delegate = infer.ReferenceName
	}
	return nil
}

// judge says where something else ran than was asked for, or runs but computes something else; under --strict it is an
// error.
func (o *openedModel) judge(c *cli.Context, asked string) (err error) {
	if o.opened != infer.Auto && o.ran.Delegate != o.opened {
		err = fmt.Errorf("asked for %s, what runs is %s", asked, o.ran.Delegate)
	} else if v := o.ran.Verified; v != nil && !v.Trusted() {
		err = fmt.Errorf("%s computes something else: the same class as %s for %d of %d inputs", asked, o.judgedBy, v.SameTop1, v.Inputs)
	}
	if err == nil || c.Bool("strict") {
		return err
	}
	say(c, "note: %v", err)
	return nil
}

// delegate is what opens the model on the same runtime once more.
func (o *openedModel) delegate() string {
	if o.opened != infer.Auto && o.runtime != reference {
		return o.opened
	}
	for _, d := range o.runtime.Devices() {
		if d.Name == o.ran.Delegate {
			return d.Name
		}
	}
	return "" // the runtime's own choice: it says "none" where that took nothing, which may be no name to open with
}

// checkDelegate says why there is no such delegate, and none of that name at all.
func checkDelegate(name string) error {
	if name == infer.Auto {
		return nil
	}
	kind, _, _ := strings.Cut(name, "=")
	for _, p := range probers() {
		for _, d := range p.Devices() {
			switch {
			case d.Name == kind && d.Available:
				return nil
			case d.Name == kind:
				return fmt.Errorf("delegate %s: %w: %s", name, infer.ErrUnavailable, d.Reason)
			}
		}
	}
	return withHint(usagef("unknown delegate %q", name), "mnet-edge devices lists them")
}
