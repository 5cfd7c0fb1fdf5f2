package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/builtin"
	"mnet-edge/convert"
	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/lint"
	"mnet-edge/model"
	"mnet-edge/report"
	"mnet-edge/train"
)

// specFlags are the flags that, with the net's letter, fix a model.Spec.
func specFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Name: "width", Value: 1, Usage: "multiply each block's channels by `W`"},
		&cli.BoolFlag{Name: "no-mid-relu", Usage: "net D without the ReLU between the depthwise and the pointwise convolution"},
		&cli.IntFlag{Name: "size", Value: model.SourceSize, Usage: "images of `N` x N pixels, a multiple of 16"},
		&cli.IntFlag{Name: "enlarge", Value: 1, Usage: "the net enlarges its image `N` times, 2 or 4: as many parameters, N^2 times the work"},
		&cli.IntFlag{Name: "output-stride", Value: model.SourceStride, Usage: "each cell of the last feature map stands for `N` x N pixels: 16 as in the source; 8, 4 or 2 leave the first halvings out, for about 4, 13 or 44 times the work"},
		&cli.StringFlag{Name: "padding", Value: string(model.PadSame), Usage: "`same` (TFLite's) or symmetric (the source's)"},
	}
}

// specFlagNames are the names of specFlags.
func specFlagNames() (names []string) {
	for _, f := range specFlags() {
		names = append(names, f.Names()...)
	}
	return names
}

// specFromFlags is the spec of a net with the flags of specFlags applied; the number of classes keeps its default.
func specFromFlags(c *cli.Context, net string) (model.Spec, error) {
	s := model.DefaultSpec(model.Net(strings.ToUpper(net)))
	s.Width = c.Float64("width")
	s.MidReLU = !c.Bool("no-mid-relu")
	if !s.MidReLU && s.Net != model.NetD {
		return s, usagef("--no-mid-relu is about net D: %s has no such ReLU", s.Net)
	}
	s.Padding = model.Padding(c.String("padding"))
	s.Size = c.Int("size")
	s.Enlarge, s.OutputStride = unless(c, "enlarge", 1), unless(c, "output-stride", model.SourceStride)
	if err := s.Check(); err != nil {
		return s, usageError{err}
	}
	return s, nil
}

// unless is a flag's number as a spec has it, where a net that is as the source's in this has 0.
func unless(c *cli.Context, flag string, source int) int {
	if n := c.Int(flag); n != source {
		return n
	}
	return 0
}

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "show a net's parameters, a run, or what is inside a model",
		ArgsUsage: "NET | RUN | MODEL.tflite | builtin",
		Description: `1. The parameters of the source's net D:            mnet-edge inspect D
2. The plain net of about the same size:            mnet-edge inspect C --width 0.338
3. A run's settings and figures:                    mnet-edge inspect runs/D-w0.25-001
4. Operators, shapes and scales of a model, and what XNNPACK, the Edge TPU and Ethos-U
   refuse of it, or run slowly, and why:             mnet-edge inspect model.tflite
5. The model that this binary carries:              mnet-edge inspect builtin`,
		Flags: append(specFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("inspect takes one argument: C, D, P, a run or a .tflite file")
			}
			what := c.Args().First()
			switch {
			case slices.Contains(model.Nets, model.Net(strings.ToUpper(what))):
				spec, err := specFromFlags(c, what)
				if err != nil {
					return err
				}
				return inspectNet(c.App.Writer, spec, c.Bool("json"))
			case anySet(c, specFlagNames()...):
				return usagef("flags about a net go with inspect C, D or P; %s is what it is", what)
			case isModelFile(what) || what == builtin.Name:
				return inspectModel(c.App.Writer, what, c.Bool("json"))
			}
			return inspectRun(c, what)
		},
	}
}

// inspectNet prints the parameters as the source does, then what the source leaves out.
func inspectNet(w io.Writer, spec model.Spec, asJSON bool) error {
	counts := spec.Counts()
	type parameter struct {
		Name  string `json:"name"`
		Shape []int  `json:"shape"`
		Count int    `json:"count"`
	}
	var listed []parameter
	for _, p := range spec.Params() {
		if p.Listed {
			listed = append(listed, parameter{p.Name, p.Shape, p.Count()})
		}
	}
	if asJSON {
		return writeJSON(w, struct {
			Parameters []parameter `json:"parameters"`
			Total      int         `json:"total"`
			Trainable  int         `json:"trainable"`
			MACs       int64       `json:"macs"`
		}{listed, counts.Total, counts.Trainable, counts.MACs})
	}
	for _, p := range listed {
		fmt.Fprintf(w, "%s has %d params\n", p.Name, p.Count)
	}
	fmt.Fprintf(w, "Net has %d params in total\n", counts.Total)
	fmt.Fprintf(w, "%d of them are trainable; the rest are batch normalization's running statistics\n", counts.Trainable)
	enlarged := ""
	if spec.Enlarge > 1 {
		enlarged = fmt.Sprintf(", enlarged to %dx%d", spec.Inner(), spec.Inner())
	}
	fmt.Fprintf(w, "%d multiply-accumulates an image of %dx%d%s\n", counts.MACs, spec.Size, spec.Size, enlarged)
	if note := sourceNote(spec); note != "" {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	return nil
}

// sourceNote explains the two figures of the source that belong to nets that cannot run.
func sourceNote(s model.Spec) string {
	switch {
	case s.Net == model.NetD && s.Width == 3:
		return "the source prints 28519242, which leaves the linear layer at 1024 inputs; the net that runs has 3072"
	case s.Net == model.NetC && s.Width == 0.338:
		return "the source gives 100.2 % of net D's parameters, which is 3246813 with the linear layer left at 1024 inputs; the net that runs has 346"
	}
	return ""
}

// inspectRun shows what a checkpoint says of itself, and what its run's folder adds.
func inspectRun(ctx *cli.Context, path string) error {
	c, err := loadCheckpoint(ctx, path)
	if err != nil {
		return err
	}
	var config *train.Record // a checkpoint alone has none
	if r, err := train.LoadRecord(runFolder(path)); err == nil {
		config = &r
	} else if !errors.Is(err, fs.ErrNotExist) {
		say(ctx, "note: %s", oneLine(err))
	}
	w := ctx.App.Writer
	if ctx.Bool("json") {
		return writeJSON(w, struct {
			Spec    model.Spec         `json:"spec"`
			Input   model.Input        `json:"input"`
			Labels  []string           `json:"labels"`
			Step    int64              `json:"step"`
			Epoch   int                `json:"epoch"`
			Metrics map[string]float64 `json:"metrics"`
			Config  *train.Record      `json:"config,omitempty"`
		}{c.Spec, c.Input, c.Labels, c.Step, c.Epoch, c.Metrics, config})
	}
	t := report.NewTable(w)
	t.Row("net", c.Spec.Name())
	t.Row("parameters", fmt.Sprint(c.Spec.Counts().Total))
	t.Row("epoch", fmt.Sprint(c.Epoch))
	t.Row("step", fmt.Sprint(c.Step))
	for _, k := range sortedKeys(c.Metrics) {
		digits := 4
		if strings.HasSuffix(k, "_n") { // a number of images
			digits = -1
		}
		t.Row(k, strconv.FormatFloat(c.Metrics[k], 'g', digits, 64))
	}
	t.Row("labels", strings.Join(c.Labels, ", "))
	if config != nil {
		runRows(t, *config)
	}
	t.Render()
	return nil
}

// runRows are a run's settings, and the conditions its figures were measured under.
func runRows(t report.Table, r train.Record) {
	t.Row("data", fmt.Sprintf("%s: %d images learnt from, %d for validation, %d to test", r.Dataset.Name, r.Dataset.Train, r.Dataset.Val, r.Dataset.Test))
	t.Row("data sha256", r.Dataset.SHA256)
	t.Row("input", fmt.Sprintf("(pixel - %g) / %g", r.Input.Mean, r.Input.Std))
	t.Row("recipe", fmt.Sprintf("%s: %d epochs, batch %d, highest rate %g (%s), weight decay %g", r.Recipe.Name, r.Recipe.Epochs,
		r.Recipe.Batch, r.Recipe.LR, r.Recipe.Schedule, r.Recipe.WeightDecay))
	t.Row("", fmt.Sprintf("label smoothing %g, crop %d, flip %s", r.Recipe.LabelSmoothing, r.Recipe.Crop, r.Recipe.Flip))
	t.Row("seed", fmt.Sprint(r.Seed))
	t.Row("backend", strings.TrimSuffix(r.BackendUsed+": "+r.Device, ": "))
	t.Row("machine", r.Machine())
	t.Row("begun", r.Started.Format(time.DateTime)+" UTC")
	for _, name := range sortedKeys(r.Versions) {
		t.Row("version", name+" "+r.Versions[name])
	}
	words := []string{"mnet-edge"}
	for _, arg := range r.Args {
		words = append(words, word(arg))
	}
	t.Row("command", strings.Join(words, " "))
}

// inspectModel prints the graph and the lint, or its summary as JSON.
func inspectModel(w io.Writer, path string, asJSON bool) error {
	b, err := readModel(path)
	if err != nil {
		return err
	}
	g, tail, err := tflite.DecodeHead(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var left []string
	if tail != nil {
		left = tail.Operators()
	}
	verdicts, err := lintOf(b, g)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !asJSON {
		if err := graph.Fprint(w, g); err != nil {
			return err
		}
		if tail != nil {
			fmt.Fprintf(w, "behind it, unknown here or depending on what is:\n%v", tail)
		}
		printLint(w, verdicts)
		return printRecord(w, g)
	}
	record, err := convert.RecordOf(g)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeJSON(w, struct {
		Model     string         `json:"model"`
		SizeBytes int            `json:"size_bytes"`
		SHA256    string         `json:"sha256"`
		Level     string         `json:"level"`
		Ops       map[string]int `json:"ops"`
		Tail      []string       `json:"tail,omitempty"`
		Inputs    []string       `json:"inputs"`
		Outputs   []string       `json:"outputs"`
		Labels    []string       `json:"labels"`
		Lint      []lint.Verdict `json:"lint"`

		Conversion *convert.Record `json:"conversion,omitempty"`
	}{path, len(b), sha256Hex(b), g.Level.String(), countOps(g), left, typeTexts(g.Inputs), typeTexts(g.Outputs), g.Meta.Labels, verdicts, record})
}

func countOps(g *graph.Graph) map[string]int {
	ops := map[string]int{}
	for _, n := range g.Nodes {
		ops[n.Op.Name()]++
	}
	return ops
}

func typeTexts(vs []*graph.Value) []string {
	var ts []string
	for _, v := range vs {
		ts = append(ts, v.Type.String())
	}
	return ts
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
