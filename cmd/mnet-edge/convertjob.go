package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"mnet-edge/convert"
	"mnet-edge/dataset"
	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/model"
	"mnet-edge/report"
)

// errAccuracy is a floor of accuracy that no model met.
var errAccuracy = errors.New("accuracy floor missed")

// recoveryFlags say how far a conversion goes to keep its accuracy, and what is said of it.
func recoveryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Name: "max-drop", DefaultText: "any loss", Usage: "lose at most `POINTS` of top-1 on the test images, by keeping as few layers as possible in int16 or float32; exit 7 if that cannot be done"},
		&cli.BoolFlag{Name: "layers", Usage: "quantize each layer alone too, and say what that does to the answers"},
		&cli.BoolFlag{Name: "verify", Usage: "compare the runtime with the simulator, tensor by tensor, and name the rounding that matches"},
		&cli.DurationFlag{Name: "budget", Value: time.Duration(convert.DefaultBudget / convert.BudgetSecond * float64(time.Second)),
			Usage: "what auto may try, in `TIME` of a nominal machine: it is spent alike on every machine"},
		&cli.StringFlag{Name: "recipe", Usage: "convert as `FILE`, a model that convert made, was converted: same recipe, same number of images"},
	}
}

// followed is the record that --recipe names; nil without it.
func followed(c *cli.Context) (*convert.Record, error) {
	path := c.String("recipe")
	if path == "" {
		return nil, nil
	}
	b, err := readModel(path)
	if err != nil {
		return nil, err
	}
	g, _, err := tflite.DecodeHead(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	record, err := convert.RecordOf(g)
	if err == nil && record == nil {
		err = fmt.Errorf("%w: it says nothing of how it was made", convert.ErrRecord)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if record.Samples != nil {
		if c.IsSet("calib-samples") {
			return nil, usagef("--calib-samples is the recipe's in a conversion with --recipe")
		}
		return record, c.Set("calib-samples", fmt.Sprint(record.Samples.Count))
	}
	return record, nil
}

// budget is --budget as a recipe has it.
func budget(c *cli.Context) float64 {
	if !c.IsSet("budget") {
		return 0
	}
	if macs := c.Duration("budget").Seconds() * convert.BudgetSecond; macs > 0 {
		return macs
	}
	return -1
}

// job is a conversion that can be done more than once, by several recipes.
type job struct {
	c             *cli.Context
	input, output string
	recipe        convert.Recipe // as the flags ask for it
	float         *floatModel
	files         conversionFiles
	set           *dataset.Set // nil where nobody looks at images
	samples       iter.Seq[[]float32]
	known         infer.Given
}

// newJob is what the flags ask for. Its files are begun, so that a folder that cannot be written to is known before anything is computed.
func newJob(c *cli.Context) (_ *job, err error) {
	j := &job{c: c}
	record, err := followed(c)
	if err != nil {
		return nil, err
	}
	if j.recipe, err = recipeOf(c, record); err != nil {
		return nil, err
	}
	if j.input, err = convertInput(c); err != nil {
		return nil, err
	}
	if j.output, err = outputPath(c, j.input, j.recipe); err != nil {
		return nil, err
	}
	if j.float, err = loadFloat(c, j.input, j.recipe.Partial); err != nil {
		return nil, err
	}
	if j.known, err = given(c); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			j.files.abandon()
		}
	}()
	if j.files, err = newFiles(c, j.output, j.recipe.Scheme); err != nil {
		return nil, err
	}
	if j.recipe.Scheme == convert.Float32 {
		return j, nil
	}
	if j.recipe.Scheme == convert.Int8 && j.float.ranges != nil && record == nil {
		j.recipe = j.recipe.Trained(j.float.ranges)
		if err := j.recipe.Check(); err != nil {
			return nil, usageError{err}
		}
		say(c, "note: trained to be quantized: its own ranges are used")
	}
	if j.set, j.samples, err = conversionData(c, j.input, j.float, j.recipe); err != nil {
		return nil, err
	}
	return j, j.matches(record)
}

// convert makes the model that the flags ask for, and completes the report. float32 is what the float model is already.
func (j *job) convert(r *report.Convert) (*convert.Result, []byte, error) {
	if j.recipe.Scheme == convert.Float32 {
		if !anySet(j.c, "mean", "std", "labels") {
			return &convert.Result{Graph: j.float.Graph}, j.float.encoded, nil // as it is
		}
		encoded, err := tflite.Encode(j.float.Graph)
		return &convert.Result{Graph: j.float.Graph}, encoded, err
	}
	result, encoded, err := j.measured(r)
	if err == nil {
		r.Calibration, r.Layers, r.Recipe, r.Trials = result.Calibration, result.Layers, result.Recipe, result.Trials
	}
	return result, encoded, err
}

// measured runs the conversion, and everything that is to be known of what came of it.
func (j *job) measured(r *report.Convert) (*convert.Result, []byte, error) {
	result, encoded, err := j.run(j.recipe)
	if err != nil {
		return nil, nil, err
	}
	if j.set == nil {
		return result, encoded, nil
	}
	if cal := result.Calibration; cal != nil {
		for _, w := range cal.Warnings {
			say(j.c, "warning: %s", w)
		}
	}
	if j.float.Classes == 0 && j.c.Int("eval") > 0 {
		say(j.c, "note: %s has not one output with a score for each class: answers are not compared", j.input)
	}
	if err := measureDrop(j.c, j.float, encoded, j.set, r); err != nil {
		return nil, nil, err
	}
	if j.c.IsSet("max-drop") && j.samples != nil {
		if result, encoded, err = j.meet(j.c.Float64("max-drop"), result, encoded, r); err != nil {
			return nil, nil, err
		}
	}
	if j.c.Bool("layers") && j.samples != nil {
		if err := j.addAlone(result); err != nil {
			return nil, nil, err
		}
	}
	if j.c.Bool("verify") && j.samples != nil {
		r.Verification, err = j.verify(encoded)
	}
	return result, encoded, err
}

// addWarning adds to what makes the calibration images doubtful what only the labels show.
func (j *job) addWarning(cal *convert.Calibration) {
	if s := &j.set.Train; len(j.set.Classes) > 1 && !slices.ContainsFunc(s.Labels, func(l uint16) bool { return l != s.Labels[0] }) {
		cal.Warnings = append(cal.Warnings, fmt.Sprintf("all %d calibration images are of one class, %s", s.N, j.set.Classes[s.Labels[0]]))
	}
}

// run converts the float model, and puts into the file how.
func (j *job) run(r convert.Recipe) (*convert.Result, []byte, error) {
	result, err := convert.Run(j.c.Context, j.graph(), r, j.samples, nil)
	if err != nil {
		return nil, nil, err
	}
	if result.Calibration != nil {
		j.addWarning(result.Calibration)
	}
	if err := j.record(result).Attach(result.Graph); err != nil {
		return nil, nil, err
	}
	encoded, err := tflite.Encode(result.Graph)
	return result, encoded, err
}

// graph is the float network, the caller's to change.
func (j *job) graph() *graph.Graph {
	g, _ := j.float.Graph.Clone()
	return g
}

// record says how the result came about.
func (j *job) record(result *convert.Result) convert.Record {
	r := convert.Record{Recipe: result.Recipe}
	r.Recipe.Budget = 0 // nothing is left to choose
	if j.samples != nil {
		t := &j.set.Train
		r.Samples = &convert.Samples{Data: j.set.Name, Count: t.N, Of: t.Of(), SHA256: t.Digest()}
	}
	if float, err := convert.RecordOf(j.float.Graph); err == nil && float != nil {
		r.Card = float.Card
	}
	return r
}

// maxCard bounds the model card that goes into a file, in bytes.
const maxCard = 64 << 10

// card is the model card of the run that a checkpoint belongs to, "" where it has none or that is about other weights: those it has test
// figures of have them too.
func card(input string, c *model.Checkpoint) string {
	if _, tested := c.Metrics["test_top1"]; !tested {
		return ""
	}
	b, err := readFile(filepath.Join(runFolder(input), "card.md"), maxCard, "64 KiB")
	if err != nil || !utf8.Valid(b) {
		return ""
	}
	return string(b)
}

// matches reports images other than those a record was made with.
func (j *job) matches(record *convert.Record) error {
	if record == nil || record.Samples == nil || j.samples == nil {
		return nil
	}
	if got := j.set.Train.Digest(); got != record.Samples.SHA256 {
		return fmt.Errorf("%w: the recipe was made with other images: sha256 of their pixels %s, of these %s",
			convert.ErrCalibration, record.Samples.SHA256, got)
	}
	return nil
}

// alone quantizes each layer by itself.
func (j *job) alone(r convert.Recipe) ([]convert.Alone, error) {
	return convert.EachAlone(j.c.Context, j.graph(), r, j.samples)
}

// addAlone completes the layers' reports.
func (j *job) addAlone(result *convert.Result) error {
	alone, err := j.alone(result.Recipe)
	if err != nil {
		return err
	}
	for i := range result.Layers {
		for k := range alone {
			if alone[k].Name == result.Layers[i].Name {
				result.Layers[i].Alone = &alone[k]
			}
		}
	}
	return nil
}

// verifyImages is how many images --verify compares on.
const verifyImages = 8

// verify compares the model on the runtime that would run it with the simulator.
func (j *job) verify(encoded []byte) (*infer.Verification, error) {
	m, err := infer.Load(encoded, j.known)
	if err != nil {
		return nil, err
	}
	split := j.set.Train.Limit(verifyImages)
	inputs, err := inputsOf(m, &split)
	if err != nil {
		return nil, err
	}
	rs := runtimes()
	if tflite := tfliteRuntime(); tflite != nil {
		rs = append([]infer.Runtime{tflite}, rs...) // not an engine of ours, where there is another
	}
	return infer.VerifyTensors(j.c.Context, rs, encoded, infer.Options{}, inputs)
}

// verificationRows say what --verify found.
func verificationRows(t report.Table, v *infer.Verification) {
	where := v.Runtime
	if v.Delegate != "" && v.Delegate != infer.NoDelegate {
		where += " with " + v.Delegate
	}
	match := "no rounding matches every tensor"
	if v.Match != "" {
		match = "rounding " + v.Match + " matches, bit for bit"
	}
	t.Row("verified", fmt.Sprintf("%s, %d tensors on %d images: %s", where, v.Tensors, v.Inputs, match))
	for _, m := range v.Modes {
		t.Row("", fmt.Sprintf("%s: %d of %d equal", m.Rounding, m.Equal, v.Tensors))
	}
	for i, d := range v.Differ {
		if i == 10 {
			t.Row("", fmt.Sprintf("and %d more", len(v.Differ)-i))
			break
		}
		t.Row("", fmt.Sprintf("%s (%s): %d of %d elements differ, by %d at most", d.Tensor, d.Op, d.Unequal, d.Elements, d.Largest))
	}
}

// aloneRows name the layers whose quantization costs most.
func aloneRows(t report.Table, layers []convert.LayerReport) {
	layers = slices.DeleteFunc(slices.Clone(layers), func(l convert.LayerReport) bool { return l.Alone == nil })
	slices.SortStableFunc(layers, func(a, b convert.LayerReport) int {
		return cmp.Compare(a.Alone.OutputSNR, b.Alone.OutputSNR)
	})
	for i, l := range layers[:min(len(layers), 5)] {
		head := ""
		if i == 0 {
			head = "alone"
		}
		t.Row(head, fmt.Sprintf("%s: %.1f dB signal to noise, %.1f %% of the answers kept", l.Name, l.Alone.OutputSNR, 100*l.Alone.Agreement))
	}
}

// printRecord shows how a model was made, where it says so.
func printRecord(w io.Writer, g *graph.Graph) error {
	record, err := convert.RecordOf(g)
	if err != nil || record == nil {
		return err
	}
	t := report.NewTable(w)
	r := record.Recipe
	t.Row("made by", "mnet-edge convert")
	t.Row("scheme", string(r.Scheme))
	if r.Scheme.Integer() {
		t.Row("recipe", fmt.Sprintf("%s, equalize %s, bias correction %s, adaptive rounding %s", r.Observer, r.Equalize, r.CorrectBias, r.RoundWeights))
	}
	if len(r.KeepInt16) > 0 {
		t.Row("in int16", strings.Join(r.KeepInt16, ", "))
	}
	if len(r.KeepFloat) > 0 {
		t.Row("in float32", strings.Join(r.KeepFloat, ", "))
	}
	if s := record.Samples; s != nil {
		t.Row("calibrated", fmt.Sprintf("on %d of %d images of %s, the middles of equal stretches", s.Count, s.Of, s.Data))
		t.Row("", "sha256 of their pixels "+s.SHA256)
	}
	t.Render()
	if record.Card != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(record.Card))
	}
	return nil
}
