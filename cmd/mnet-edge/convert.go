package main

import (
	"fmt"
	"iter"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"mnet-edge/convert"
	"mnet-edge/dataset"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/model"
	"mnet-edge/report"
	"mnet-edge/train"
)

func convertCommand() *cli.Command {
	return &cli.Command{
		Name:      "convert",
		Usage:     "turn a trained network into a .tflite model",
		ArgsUsage: "[RUN | CHECKPOINT]",
		Description: `1. The newest run as an int8 model:                mnet-edge convert --int8
2. Float edges, so that a program feeds pixels as float32:  mnet-edge convert --int8 --io float32 runs/D-w0.5-1
3. What quantization costs, on the test images:    mnet-edge convert --int8 --eval 10000 runs/D-w0.5-1`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "int8", Usage: "int8 weights and activations, integer arithmetic throughout"},
			&cli.BoolFlag{Name: "float32", Usage: "float32 throughout"},
			&cli.StringFlag{Name: "io", Value: "int8", Usage: "element type of an int8 model's input and output: `int8` or float32"},
			&cli.StringFlag{Name: "o", Usage: "the model to write, `OUT.tflite` (default: SCHEME.tflite in the run's folder)"},
			&cli.StringFlag{Name: "calib", Usage: "`DATA` to calibrate on: its training images (default: the run's own)"},
			&cli.IntFlag{Name: "calib-samples", Value: 512, Usage: "`N` images, spread evenly over the training images"},
			&cli.StringFlag{Name: "calibrator", Value: "minmax", Usage: "how a range is chosen: `minmax`"},
			&cli.IntFlag{Name: "eval", Value: 1000, Usage: "compare with the float model on `N` test images; 0 leaves it out"},
			&cli.StringFlag{Name: "dump", Usage: "write the graph's text to `FILE`, as it is after the last pass"},
			jsonFlag(),
		},
		Action: convertAction,
	}
}

func convertAction(c *cli.Context) error {
	recipe, err := recipeOf(c)
	if err != nil {
		return err
	}
	input, err := convertInput(c)
	if err != nil {
		return err
	}
	checkpoint, err := loadCheckpoint(c, input)
	if err != nil {
		return err
	}
	var set *dataset.Set
	if recipe.Scheme == convert.Int8 {
		if set, err = calibrationData(c, input, checkpoint); err != nil {
			return err
		}
	}
	result, err := convertCheckpoint(c, checkpoint, recipe, set)
	if err != nil {
		return err
	}
	encoded, err := tflite.Encode(result.Graph)
	if err != nil {
		return err
	}
	r := report.Convert{
		Input: input, Output: outputPath(c, input, recipe), Scheme: string(recipe.Scheme), SizeBytes: len(encoded), SHA256: sha256Hex(encoded),
		Ops: countOps(result.Graph), Layers: result.Layers,
	}
	if result.Calibration != nil {
		r.Calibration = result.Calibration
		if err := measureDrop(c, checkpoint, encoded, set, &r); err != nil {
			return err
		}
	}
	if path := c.String("dump"); path != "" {
		if err := renameio.WriteFile(path, []byte(result.Graph.String()), 0o644); err != nil {
			return err
		}
	}
	if err := renameio.WriteFile(r.Output, encoded, 0o644); err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, r)
	}
	printConversion(c, r, result)
	return nil
}

func recipeOf(c *cli.Context) (convert.Recipe, error) {
	r := convert.Recipe{Observer: c.String("calibrator")}
	switch asInt8, asFloat := c.Bool("int8"), c.Bool("float32"); {
	case asInt8 == asFloat:
		return r, usagef("convert wants one of --int8 and --float32")
	case asInt8:
		r.Scheme = convert.Int8
	default:
		r.Scheme = convert.Float32
	}
	if _, ok := convert.Observers[r.Observer]; !ok {
		return r, usagef("--calibrator %q: want %s", r.Observer, strings.Join(sortedKeys(convert.Observers), ", "))
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
	return r, nil
}

// convertInput is the run or checkpoint named, or the newest run.
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
	return "", usagef("convert takes one run or checkpoint")
}

// outputPath is -o, or a file beside what was converted.
func outputPath(c *cli.Context, input string, r convert.Recipe) string {
	if o := c.String("o"); o != "" {
		return o
	}
	return filepath.Join(runFolder(input), string(r.Scheme)+".tflite")
}

// runFolder is the run that a checkpoint folder RUN/checkpoint/NAME belongs to; any other folder stands for itself.
func runFolder(input string) string {
	if up := filepath.Dir(filepath.Clean(input)); filepath.Base(up) == "checkpoint" {
		return filepath.Dir(up)
	}
	return input
}

// calibrationData is --calib, or the data that the run was trained on.
func calibrationData(c *cli.Context, input string, checkpoint *model.Checkpoint) (*dataset.Set, error) {
	data := c.String("calib")
	if data == "" {
		config, err := train.LoadConfig(runFolder(input))
		if err != nil || config.Data == "" {
			return nil, withHint(fmt.Errorf("%w: %s does not say what it was trained on", convert.ErrCalibration, input), "name images with --calib DATA")
		}
		data = config.Data
	}
	set, err := openData(c, data, checkpoint.Spec.Size)
	if err == nil && set.Train.N == 0 {
		err = fmt.Errorf("%w: %s has no training images", convert.ErrCalibration, data)
	}
	return set, err
}

// convertCheckpoint runs the passes, with a progress bar over the calibration.
func convertCheckpoint(c *cli.Context, checkpoint *model.Checkpoint, recipe convert.Recipe, set *dataset.Set) (*convert.Result, error) {
	g, err := convert.Lower(checkpoint)
	if err != nil {
		return nil, err
	}
	var samples iter.Seq[[]float32]
	if set != nil {
		split := set.Train.Limit(c.Int("calib-samples"))
		samples = calibrationSamples(c, checkpoint.Input, &split)
	}
	return convert.Run(c.Context, g, recipe, samples, nil)
}

// calibrationSamples are the images of a split as the network sees them.
func calibrationSamples(c *cli.Context, in model.Input, split *dataset.Split) iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		b := newBar(c, split.N, "calibrating")
		defer b.finish()
		x := make([]float32, split.H*split.W*3)
		for i := range split.N {
			for j, pixel := range split.Image(i) {
				x[j] = (float32(pixel) - in.Mean) / in.Std
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
func measureDrop(c *cli.Context, checkpoint *model.Checkpoint, encoded []byte, set *dataset.Set, r *report.Convert) error {
	if c.Int("eval") == 0 || set.Test.N == 0 {
		return nil
	}
	float, err := convertCheckpoint(c, checkpoint, convert.Recipe{Scheme: convert.Float32}, nil)
	if err != nil {
		return err
	}
	floatEncoded, err := tflite.Encode(float.Graph)
	if err != nil {
		return err
	}
	split := set.Test.Limit(c.Int("eval"))
	var top1 [2]float64
	for i, b := range [][]byte{floatEncoded, encoded} {
		if top1[i], err = top1Of(c, b, set, &split); err != nil {
			return err
		}
	}
	drop := 100 * (top1[0] - top1[1])
	r.FloatTop1, r.Top1, r.DropPoints = &top1[0], &top1[1], &drop
	return nil
}

func top1Of(c *cli.Context, encoded []byte, set *dataset.Set, split *dataset.Split) (float64, error) {
	m, err := infer.Load(encoded, infer.Given{})
	if err != nil {
		return 0, err
	}
	_, s, err := infer.Open(runtimes(), encoded, infer.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	o := openedModel{Model: m, session: s}
	images, err := o.evaluationImages(set, split)
	if err != nil {
		return 0, err
	}
	a, _, err := infer.Evaluate(c.Context, m, s, images, 0)
	return a.Top1, err
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
	if cal := result.Calibration; cal != nil {
		t.Row("calibration", fmt.Sprintf("%s over %d images", cal.Observer, cal.Samples))
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
		t.Row("top-1", fmt.Sprintf("%.2f %%, float %.2f %%: %.2f points lost, on %d test images", 100**r.Top1, 100**r.FloatTop1, *r.DropPoints, c.Int("eval")))
	}
	t.Render()
	say(c, "next: mnet-edge infer --model %s photo.png", r.Output)
}
