package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mnet-edge/convert"
	"mnet-edge/dataset"
	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/report"
	"mnet-edge/train"
)

func convertCommand() *cli.Command {
	return &cli.Command{
		Name:      "convert",
		Usage:     "turn a trained network into a .tflite model",
		ArgsUsage: "[RUN | CHECKPOINT | FLOAT.tflite]",
		Description: `1. The newest run as an int8 model:                 mnet-edge convert --int8
2. Float edges, so that a program feeds float32:    mnet-edge convert --int8 --io float32 runs/D-w0.5-001
3. What quantization costs, on the test images:     mnet-edge convert --int8 --eval 10000 runs/D-w0.5-001
   Weights only, for a model of half or a quarter:  mnet-edge convert --float16 (or --dynamic)
4. A float model of another tool, that was trained on (pixel - 127.5) / 127.5:
                                                    mnet-edge convert --int8 --mean 127.5 --std 127.5 --calib photos.zip -o int8.tflite float.tflite
5. Where quantization costs what, to look at:       mnet-edge convert --int8 --report int8.html --report-picture int8.png

What --calibrator, --equalize, --correct-bias and --round-weights leave at auto is tried on calibration images that no range
was taken from; what does best is picked, and named. Of a run of train --qat int8 takes the ranges that were trained, and tries nothing.`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "int8", Usage: "int8 weights and activations, integer arithmetic throughout"},
			&cli.BoolFlag{Name: "int16x8", Usage: "int8 weights, int16 activations: slower, and nearly float's accuracy"},
			&cli.BoolFlag{Name: "int4", Usage: "as --int8, with 4-bit weights where the runtimes take them"},
			&cli.BoolFlag{Name: "dynamic", Usage: "int8 weights, float32 activations that the runtime makes int8: needs no images"},
			&cli.BoolFlag{Name: "float16", Usage: "float16 weights, float32 arithmetic: needs no images"},
			&cli.BoolFlag{Name: "float32", Usage: "float32 throughout"},
			&cli.StringFlag{Name: "io", Value: "int8", Usage: "element type of an integer model's input and output: `int8` (int16 of --int16x8) or float32"},
			&cli.StringFlag{Name: "o", Usage: "the model to write, `OUT.tflite` (default: SCHEME.tflite in the run's folder)"},
			&cli.StringFlag{Name: "calib", Usage: "`DATA` to calibrate on: its training images (default: the run's own)"},
			&cli.IntFlag{Name: "calib-samples", Value: 512, Usage: "`N` images, spread evenly over the training images"},
			&cli.StringFlag{Name: "calibrator", Value: auto, Usage: "how a range is chosen: `auto`, " + strings.Join(convert.Observers(), ", ")},
			&cli.StringFlag{Name: "equalize", Value: auto, Usage: "cross-layer equalization: `auto`, off, activations, weights, both"},
			&cli.StringFlag{Name: "correct-bias", Value: auto, Usage: "empirical bias correction: `auto`, off, on"},
			&cli.StringFlag{Name: "round-weights", Value: auto, Usage: "adaptive rounding of weights: `auto`, off, on"},
			&cli.BoolFlag{Name: "per-tensor", Usage: "one scale for each weight, not one for each of its channels"},
			&cli.BoolFlag{Name: "partial", Usage: "keep operators without an integer form in float32, and unknown ones, with what depends on them, as they are; do not refuse the model"},
			&cli.BoolFlag{Name: "per-channel-fc", Usage: "one scale for each channel of fully connected layers too, for runtimes since TensorFlow 2.17"},
			&cli.IntFlag{Name: "eval", Value: 1000, Usage: "compare with the float model on `N` test images; 0 leaves it out"},
			&cli.StringFlag{Name: "dump", Usage: "write the graph's text to `FILE`, as it is after the last pass"},
			jsonFlag(),
		}, append(append(recoveryFlags(), reportFlags()...), metadataFlags()...)...),
		Action: convertAction,
	}
}

// auto leaves a choice to convert.
const auto = "auto"

func convertAction(c *cli.Context) error {
	j, err := newJob(c)
	if err != nil {
		return err
	}
	defer j.files.abandon()
	r := report.Convert{Input: j.input, Output: j.output, Scheme: string(j.recipe.Scheme)}
	result, encoded, err := j.convert(&r)
	if errors.Is(err, graph.ErrNoIntegerForm) {
		err = suggestPartial(c, err, "keep such operators in float32")
	}
	if err != nil {
		return err
	}
	if j.float.tail != nil {
		if encoded, err = j.float.tail.Encode(result.Graph); err != nil {
			return err
		}
		r.Tail = j.float.tail.Operators()
	}
	r.SizeBytes, r.SHA256, r.Ops = len(encoded), sha256Hex(encoded), countOps(result.Graph)
	err = j.files.model.write(func(w io.Writer) error {
		_, err := w.Write(encoded)
		return err
	})
	if err != nil {
		return err
	}
	if err := j.files.dump.write(func(w io.Writer) error { return graph.Fprint(w, result.Graph) }); err != nil {
		return err
	}
	if err := j.writeReport(r, result); err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, r)
	}
	printConversion(c, r, result)
	return nil
}

// recipeOf is what the flags ask for, or the record that --recipe names.
func recipeOf(c *cli.Context, record *convert.Record) (r convert.Recipe, err error) {
	if record != nil {
		r, err = record.Recipe, againstRecord(c, record.Recipe)
	} else {
		r, err = recipeFromFlags(c)
	}
	if err != nil || r.Scheme.Integer() {
		return r, err
	}
	nothing := []string{"io", "calibrator", "equalize", "correct-bias", "round-weights", "budget", "max-drop", "layers", "verify"}
	if r.Scheme != convert.Dynamic {
		nothing = append(nothing, "per-tensor", "per-channel-fc")
	}
	for _, f := range nothing {
		if c.IsSet(f) {
			return r, usagef("--%s has nothing to choose with --%s, whose arithmetic is not of integers", f, r.Scheme)
		}
	}
	return r, nil
}

// againstRecord refuses flags that ask for something else than a recipe that is followed.
func againstRecord(c *cli.Context, r convert.Recipe) error {
	for _, s := range convert.Schemes {
		if c.Bool(string(s)) && s != r.Scheme {
			return usagef("--%s, and a recipe for %s", s, r.Scheme)
		}
	}
	for _, f := range []string{"io", "calibrator", "equalize", "correct-bias", "round-weights", "per-tensor", "per-channel-fc", "partial", "budget"} {
		if c.IsSet(f) {
			return usagef("--%s is the recipe's in a conversion with --recipe", f)
		}
	}
	return nil
}

// recipeFromFlags is what they ask for.
func recipeFromFlags(c *cli.Context) (convert.Recipe, error) {
	choice := func(flag string) convert.Choice {
		if s := c.String(flag); s != auto {
			return s
		}
		return ""
	}
	r := convert.Recipe{PerTensor: c.Bool("per-tensor"), PerChannelFC: c.Bool("per-channel-fc"), Partial: c.Bool("partial"),
		Observer: choice("calibrator"), Equalize: choice("equalize"),
		CorrectBias: choice("correct-bias"), RoundWeights: choice("round-weights"), Budget: budget(c)}
	var flags []string
	for _, s := range convert.Schemes {
		if flags = append(flags, "--"+string(s)); !c.Bool(string(s)) {
			continue
		}
		if r.Scheme != "" {
			return r, usagef("--%s and --%s: convert makes one model", r.Scheme, s)
		}
		r.Scheme = s
	}
	if r.Scheme == "" {
		return r, usagef("convert wants one of %s", strings.Join(flags, ", "))
	}
	if c.Int("calib-samples") < 1 || c.Int("eval") < 0 {
		return r, usagef("--calib-samples wants at least 1, --eval at least 0")
	}
	switch c.String("io") {
	case "int8":
	case "float32":
		r.FloatIO = true
	default:
		return r, usagef("--io %q: want int8 or float32", c.String("io"))
	}
	if err := r.Check(); err != nil {
		return r, usageError{err}
	}
	return r, nil
}

// convertInput is what is named, or the newest run.
func convertInput(c *cli.Context) (string, error) {
	switch c.NArg() {
	case 0:
		run, err := newestRun()
		if err == nil {
			say(c, "no run given: using %s", run)
		}
		return run, err
	case 1:
		return c.Args().First(), nil
	}
	return "", usagef("convert takes one run, checkpoint or float model")
}

// outputPath is -o, or a file in the run's folder. Only a regular file is ever replaced.
func outputPath(c *cli.Context, input string, r convert.Recipe) (string, error) {
	o := c.String("o")
	switch {
	case o != "":
	case isModelFile(input):
		return "", usagef("name the model to write with -o")
	default:
		o = filepath.Join(runFolder(input), string(r.Scheme)+".tflite")
	}
	switch info, err := os.Stat(o); {
	case err != nil:
	case !info.Mode().IsRegular():
		return "", usagef("-o %s: it is there, and not a regular file", o)
	case info.Size() > 0 && !modelAt(o):
		return "", usagef("-o %s: it is there, and no model", o)
	}
	// The model may take the recipe's place: made from it, it is the same again.
	read := []string{input, c.String("calib"), c.String("labels")}
	if !isModelFile(input) {
		run := runFolder(input)
		weights, _ := filepath.Glob(filepath.Join(run, "checkpoint", "*", "*")) // the pattern is well formed
		read = append(read, append(weights, filepath.Join(run, "config.json"), filepath.Join(run, "card.md"))...)
		if config, err := train.LoadConfig(run); err == nil {
			read = append(read, config.Data)
		}
	}
	beside := []string{c.String("dump"), c.String("report"), c.String("report-picture")}
	if err := apart(read, append(beside, o)...); err != nil {
		return "", err
	}
	return o, apart([]string{c.String("recipe")}, beside...)
}

// modelAt reports whether the file begins as a model does.
func modelAt(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 8)
	_, err = io.ReadFull(f, head)
	return err == nil && tflite.Identified(head)
}

// isModelFile goes by the name, of a file that need not be there.
func isModelFile(path string) bool { return strings.HasSuffix(path, ".tflite") }

// runFolder is the run that a checkpoint folder RUN/checkpoint/NAME belongs to; any other folder stands for itself.
func runFolder(input string) string {
	if up := filepath.Dir(filepath.Clean(input)); filepath.Base(up) == "checkpoint" {
		return filepath.Dir(up)
	}
	return input
}

// floatModel is the network to convert, as a float32 model: what every conversion starts from and is compared with.
type floatModel struct {
	*infer.Model
	encoded []byte
	tail    *tflite.Tail              // what comes behind it in its file, and stays as it is; nil: nothing
	ranges  map[string]graph.Interval // that it was trained to be quantized with; nil: it was not
	tested  *infer.Evaluation         // on the test images; nil: not yet
}

// suggestPartial hints at --partial, and what it would do, where the flag is not the recipe's of another conversion.
func suggestPartial(c *cli.Context, err error, does string) error {
	if c.IsSet("recipe") {
		return err
	}
	return withHint(err, "%s: --partial", does)
}

// loadFloat reads a checkpoint's network or another tool's float model; partly, a model may have a tail.
func loadFloat(c *cli.Context, input string, partly bool) (*floatModel, error) {
	known, err := given(c)
	if err != nil {
		return nil, err
	}
	var f floatModel
	switch {
	case isModelFile(input):
		f.encoded, err = readModel(input)
	case known.Mean != nil:
		return nil, usagef("--mean and --std are what a run was trained on: %s knows its own", input)
	default:
		f.encoded, f.ranges, err = encodeCheckpoint(c, input)
	}
	var g *graph.Graph
	if err == nil {
		g, err = f.decode(c, partly)
	}
	if err == nil {
		f.Model, err = infer.LoadImage(g, known)
	}
	if errors.Is(err, infer.ErrMetadata) {
		err = withHint(err, "say how pixels become its input: --mean M --std S")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", input, err)
	}
	if f.Graph.Level == graph.Quantized {
		return nil, fmt.Errorf("%s: %w: it is quantized already", input, infer.ErrModel)
	}
	if known.Mean != nil {
		f.Graph.Meta.Mean, f.Graph.Meta.Std = known.Mean, known.Std
		if len(known.Mean) != len(known.Std) { // of which one stands for all channels
			f.Graph.Meta.Mean, f.Graph.Meta.Std = f.Mean[:], f.Std[:]
		}
	}
	if known.Labels != nil {
		f.Graph.Meta.Labels = known.Labels
	}
	return &f, nil
}

// decode reads the file, of which it leaves the graph's part.
func (f *floatModel) decode(c *cli.Context, partly bool) (*graph.Graph, error) {
	g, tail, err := tflite.DecodeHead(f.encoded)
	if err != nil || tail == nil {
		return g, err
	}
	if !partly {
		return nil, suggestPartial(c, tail.Refusal(), "leave such operators, and what depends on them, as they are")
	}
	f.tail = tail
	f.encoded, err = tflite.Encode(g)
	return g, err
}

// encodeCheckpoint is a checkpoint's network as a float32 model, with the ranges it was trained with, if any.
func encodeCheckpoint(c *cli.Context, path string) ([]byte, map[string]graph.Interval, error) {
	checkpoint, err := loadCheckpoint(c, path)
	if err != nil {
		return nil, nil, err
	}
	g, err := convert.Lower(checkpoint)
	if err != nil {
		return nil, nil, err
	}
	result, err := convert.Run(c.Context, g, convert.Recipe{Scheme: convert.Float32}, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := (convert.Record{Recipe: result.Recipe, Card: card(path, checkpoint)}).Attach(result.Graph); err != nil {
		return nil, nil, err
	}
	var ranges map[string]graph.Interval
	for name, r := range checkpoint.Ranges {
		if ranges == nil {
			ranges = map[string]graph.Interval{}
		}
		ranges[name] = graph.Interval{Min: r.Min, Max: r.Max}
	}
	encoded, err := tflite.Encode(result.Graph)
	return encoded, ranges, err
}

// calibrationData is --calib, or the data that the run was trained on.
func calibrationData(c *cli.Context, input string, f *floatModel) (*dataset.Set, error) {
	data := c.String("calib")
	if data == "" {
		config, err := train.LoadConfig(runFolder(input))
		if err != nil || config.Data == "" {
			return nil, withHint(fmt.Errorf("%w: %s does not say what it was trained on", convert.ErrCalibration, input), "name images with --calib DATA")
		}
		data = config.Data
	}
	side, err := sideOf(f.Model)
	if err != nil {
		return nil, err
	}
	o := dataset.Options{Size: side, TrainLimit: c.Int("calib-samples"), TestLimit: c.Int("eval")}
	if o.TestLimit == 0 {
		o.TestLimit = -1
	}
	set, err := openSome(c, data, o)
	if err == nil && set.Train.N == 0 {
		err = fmt.Errorf("%w: %s has no training images", convert.ErrCalibration, data)
	}
	if err != nil && c.String("calib") == "" && c.Context.Err() == nil {
		err = withHint(err, "name images with --calib DATA")
	}
	return set, err
}

// conversionData is what the conversion looks at: images to calibrate on and to compare the models with. A scheme that
// needs no samples gets nil for both where no data is named, or what the run names is no longer there.
func conversionData(c *cli.Context, input string, f *floatModel, r convert.Recipe) (*dataset.Set, iter.Seq[[]float32], error) {
	if !r.Scheme.Integer() && (c.String("calib") == "" && isModelFile(input) || c.Int("eval") == 0) {
		return nil, nil, nil
	}
	set, err := calibrationData(c, input, f)
	if err != nil && !r.Scheme.Integer() && !anySet(c, "calib", "eval") && c.Context.Err() == nil {
		say(c, "note: answers are not compared: %s", oneLine(err))
		return nil, nil, nil
	}
	if err != nil || !r.Scheme.Integer() {
		return set, nil, err
	}
	return set, calibrationSamples(c, f, &set.Train), nil
}

// calibrationSamples are the images of a split as the float network sees them.
func calibrationSamples(c *cli.Context, f *floatModel, split *dataset.Split) iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		b := newBar(c, split.N)
		defer b.finish()
		in := make([]byte, f.Input.Type.Bytes())
		x := make([]float32, f.Input.Type.Elements())
		for i := range split.N {
			if f.Preprocess(in, split.Image(i)) != nil {
				return // an image of another size; the conversion reports that samples are missing
			}
			for k := range x {
				x[k] = math.Float32frombits(binary.LittleEndian.Uint32(in[4*k:]))
			}
			if !yield(x) {
				return
			}
			b.set(i+1, "calibrating")
		}
	}
}

// measureDrop compares the converted model's top-1 with the float network's on the same test images, both in the
// fastest runtime at hand. The test images choose nothing.
func measureDrop(c *cli.Context, f *floatModel, encoded []byte, set *dataset.Set, r *report.Convert) error {
	if c.Int("eval") == 0 || set.Test.N == 0 || f.Classes == 0 {
		return nil
	}
	if f.tested == nil {
		e, err := test(c, f.encoded, set)
		if err != nil {
			return err
		}
		f.tested = &e
	}
	e, err := test(c, encoded, set)
	if err == nil {
		r.Compare(*f.tested, e)
	}
	return err
}

// test runs a model over the set's test images.
func test(c *cli.Context, encoded []byte, set *dataset.Set) (infer.Evaluation, error) {
	fail := func(err error) (infer.Evaluation, error) { return infer.Evaluation{}, err }
	known, err := given(c)
	if err != nil {
		return fail(err)
	}
	m, err := infer.Load(encoded, known)
	if err != nil {
		return fail(err)
	}
	_, s, err := infer.Open(runtimes(), encoded, infer.Options{})
	if err != nil {
		return fail(err)
	}
	defer s.Close()
	images, err := evaluationImages(m, set, &set.Test)
	if err != nil {
		return fail(withHint(err, "to compare no answers: --eval 0"))
	}
	return infer.Evaluate(c.Context, m, s, shown(c, images, set.Test.N, "test images"), infer.MeasureOptions{})
}

func printConversion(c *cli.Context, r report.Convert, result *convert.Result) {
	t := report.NewTable(c.App.Writer)
	t.Row("model", r.Output)
	t.Row("scheme", r.Scheme)
	t.Row("size", report.SizeText(r.SizeBytes))
	t.Row("sha256", r.SHA256)
	var ops []string
	for _, name := range sortedKeys(r.Ops) {
		ops = append(ops, fmt.Sprintf("%d %s", r.Ops[name], name))
	}
	t.Row("operators", strings.Join(ops, ", "))
	if len(r.Tail) > 0 {
		t.Row("as they were", fmt.Sprintf("%d operators behind those, from %s on", len(r.Tail), r.Tail[0]))
	}
	if cal := result.Calibration; cal != nil {
		enough := "enough: the last doubling hardly moved a range"
		if !cal.Enough {
			enough = "not enough: ranges still move with more"
		}
		t.Row("calibration", fmt.Sprintf("%s over %d images, %s", cal.Observer, cal.Samples, enough))
		rc := result.Recipe
		t.Row("recipe", fmt.Sprintf("equalize %s, bias correction %s, adaptive rounding %s", rc.Equalize, rc.CorrectBias, rc.RoundWeights))
		for _, trial := range result.Trials {
			if trial.Picked {
				t.Row("picked", fmt.Sprintf("of %d recipes, by images held out: %.1f dB signal to noise, the plainest %.1f dB",
					len(result.Trials), trial.OutputSNR, result.Trials[0].OutputSNR))
			}
		}
	}
	if len(result.Layers) > 0 {
		worst, dead := result.Layers[0], 0
		for _, l := range result.Layers {
			if l.WeightSNR < worst.WeightSNR {
				worst = l
			}
			dead += l.DeadChannels
		}
		t.Row("weights", fmt.Sprintf("lowest signal to noise %.1f dB (%s); %d dead channels", worst.WeightSNR, worst.Name, dead))
	}
	if r.Top1 != nil {
		t.Row("top-1", r.Cost())
	}
	aloneRows(t, result.Layers)
	if r.Verification != nil {
		verificationRows(t, r.Verification)
	}
	t.Render()
	if len(r.Tail) > 0 {
		say(c, "note: infer runs it with --partial, and leaves out %s and what depends on it", r.Tail[0])
		say(c, "next: mnet-edge infer --partial --model %s photo.png", word(r.Output))
		return
	}
	say(c, "next: mnet-edge infer --model %s photo.png", word(r.Output))
}
