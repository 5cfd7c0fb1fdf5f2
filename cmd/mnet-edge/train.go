package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/builtin"
	"mnet-edge/dataset"
	"mnet-edge/model"
	"mnet-edge/report"
	"mnet-edge/train"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "train a MobileNet",
		Description: `1. See it work, on the images built in:      mnet-edge train --width 0.25 --epochs 10
2. CIFAR-10, net D at half width:            mnet-edge train --data cifar10 --width 0.5
3. Go on with a run that was interrupted:    mnet-edge train --resume --out runs/D-w0.5-001
4. Let a net get used to int8, then convert: mnet-edge train --qat runs/D-w0.5-001
5. Teach a small net what a large one knows: mnet-edge train --data cifar10 --width 0.25 --teacher runs/C-w1-001
6. Begin with what a run has learnt, on pictures of other things:
                                             mnet-edge train --from runs/D-w0.5-001 --data photos.zip --epochs 5`,
		Flags: append([]cli.Flag{
			dataFlag("images to train on (default: fashion-mini, built in)"),
			&cli.StringFlag{Name: "net", Value: "D", Usage: "`D` (depthwise separable), C (plain) or P (plain, short and pooled: quick to train, a teacher)"},
		}, append(specFlags(),
			&cli.StringFlag{Name: "preset", Value: train.PresetFast, Usage: "`NAME` of the recipe: fast, or seed (the source's 200 epochs)"},
			&cli.PathFlag{Name: "recipe", Usage: "`FILE` of JSON with what to change of the preset: {\"name\": \"mine\", \"momentum\": 0.95}, named as in a run's config.json"},
			&cli.IntFlag{Name: "epochs", DefaultText: "12; 200 of seed, 3 with --qat", Usage: "`N` passes over the training images"},
			&cli.IntFlag{Name: "batch", DefaultText: "128", Usage: "`N` images a step"},
			&cli.Float64Flag{Name: "lr", DefaultText: "0.3, or 0.1 from 20 epochs on and with --from; 0.1 of seed, 0.01 with --qat", Usage: "`F`: the highest learning rate"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`N` fixes initial weights, validation split, order and augmentation"},
			&cli.Float64Flag{Name: "val-fraction", Value: 0.1, Usage: "hold out the share `F` of the training images, at most 5,000 of them, to choose the best epoch by"},
			&cli.IntFlag{Name: "limit", DefaultText: "all", Usage: "take `N` training and N test images, spread evenly over their split"},
			&cli.StringFlag{Name: "backend", Value: train.BackendAuto, Usage: "`auto`, xla, cuda or go"},
			&cli.IntFlag{Name: "devices", DefaultText: "2 of a CPU's, 1 of any other and with --qat", Usage: "`N` of the backend's devices that share each batch; it must divide --batch"},
			&cli.BoolFlag{Name: "test-flip", Usage: "test each image together with its mirror image too, beside the test proper"},
			&cli.DurationFlag{Name: "save-every", Value: time.Minute, Usage: "longest `TIME` between two checkpoints"},
			&cli.StringFlag{Name: "qat", Usage: "go on from `RUN`'s best weights with int8's rounding in the step: net, data and split are that run's"},
			&cli.StringFlag{Name: "from", Usage: "begin with `RUN`'s best weights, its last layer anew if the classes are others: the net is that run's, but for --size, --enlarge and --output-stride"},
			&cli.StringSliceFlag{Name: "teacher", Usage: "learn from the answers of `RUN|MODEL` in place of the labels: a run's best weights, a .tflite file, or builtin; it must know the same classes. Several of them share each batch: give the flag again"},
			&cli.StringFlag{Name: "out", Usage: "run folder `DIR` (default: runs/NAME-NNN)"},
			&cli.BoolFlag{Name: "resume", Usage: "go on with the run in --out, or the newest"},
			jsonFlag())...),
		Action: trainAction,
	}
}

func trainAction(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("train takes no argument: %q", c.Args().First())
	}
	config, data, err := trainConfig(c)
	if err != nil {
		return err
	}
	if c.String("out") == "" && !config.Resume {
		defer os.Remove(config.Out) // the folder numbered for a run that nothing came of; one that holds a file stays
	}
	set, err := openData(c, data, config.Spec.Size)
	if err != nil {
		return err
	}
	if config.Limit > 0 {
		set.Train, set.Test = set.Train.Limit(config.Limit), set.Test.Limit(config.Limit)
	}
	config.Spec.Classes = len(set.Classes)
	if set.Lossy != "" {
		say(c, "note: %s is %s", set.Name, set.Lossy)
	}
	say(c, "training %s on %s: %d images of %d classes; run folder %s", config.Spec.Name(), set.Name, set.Train.N, len(set.Classes), config.Out)
	progress := trainProgress{c: c}
	config.Progress, config.OpenTeacher = progress.show, teacherOpener(c)
	result, err := train.Run(c.Context, config, set)
	progress.bar.finish()
	switch {
	case errors.Is(err, train.ErrExists):
		return withHint(err, "--resume goes on with it")
	case c.Context.Err() != nil && err != nil:
		return withHint(err, "mnet-edge train --resume --out %s", word(config.Out))
	case err != nil:
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, result)
	}
	t := report.NewTable(c.App.Writer)
	t.Row("run", result.Run)
	t.Row("net", fmt.Sprintf("%s, %d parameters", config.Spec.Name(), result.Params))
	t.Row("best epoch", fmt.Sprintf("%d of %d", result.BestEpoch, result.Epochs))
	t.Row("validation top-1", fmt.Sprintf("%.2f %% (the epoch was chosen by it)", 100*result.ValTop1))
	t.Row("test top-1", fmt.Sprintf("%.2f %% of %d", 100*result.TestTop1, result.TestN))
	if config.TestFlip {
		t.Row("with mirror images", fmt.Sprintf("%.2f %%, of each image and its mirror image together", 100*result.FlipTop1))
	}
	t.Row("speed", fmt.Sprintf("%.0f images/s on %s, %.1f %% of the time waiting for data, %.0f s in all",
		result.ImagesPerSecond, result.Backend, 100*result.WaitShare, result.Seconds))
	t.Render()
	say(c, "next: mnet-edge convert --int8 %s", word(result.Run))
	return nil
}

// trainConfig is the configuration that the flags ask for, and the data. A resumed run takes both from its folder.
func trainConfig(c *cli.Context) (train.Config, string, error) {
	if c.Bool("resume") {
		return resumeConfig(c)
	}
	if c.String("qat") != "" {
		return quantizedConfig(c, c.String("qat"))
	}
	if err := aboveZero(c, "epochs", "batch", "lr", "val-fraction", "save-every", "limit", "devices"); err != nil {
		return train.Config{}, "", err
	}
	spec, err := trainSpec(c)
	if err != nil {
		return train.Config{}, "", err
	}
	data := c.String("data")
	if data == "" {
		data = dataset.BuiltIn
		say(c, "no --data given: using fashion-mini, which is built in")
	}
	config := train.Config{
		Spec: spec, Preset: c.String("preset"), Epochs: c.Int("epochs"), Batch: c.Int("batch"), LR: c.Float64("lr"),
		Seed: c.Uint64("seed"), ValFraction: c.Float64("val-fraction"), SaveEvery: c.Duration("save-every"), Limit: c.Int("limit"), Backend: c.String("backend"), Devices: c.Int("devices"),
		TestFlip: c.Bool("test-flip"), From: absolute(c.String("from")), Teachers: allAbsolute(c.StringSlice("teacher")), Out: c.String("out"), Data: absolute(data), Args: os.Args[1:],
	}
	if file := c.Path("recipe"); file != "" {
		if config.Changes, err = readFile(file, 1<<20, "1 MiB"); err != nil {
			return config, "", err
		}
	}
	if config.Out == "" {
		if config.Out, err = train.NextRunDir(runsFolder, spec.Name()); err != nil {
			return config, "", err
		}
	}
	return config, data, nil
}

// trainSpec is the net that the flags ask for: of a run that begins with another's weights that one's, but for the images' size
// and how finely the net looks.
func trainSpec(c *cli.Context) (model.Spec, error) {
	from := c.String("from")
	if from == "" {
		return specFromFlags(c, c.String("net"))
	}
	for _, f := range []string{"net", "width", "no-mid-relu", "padding"} {
		if c.IsSet(f) {
			return model.Spec{}, usagef("--%s is the other run's in one with --from", f)
		}
	}
	checkpoint, _, err := model.Load(from)
	if err != nil {
		return model.Spec{}, err
	}
	spec := checkpoint.Spec
	if c.IsSet("size") {
		spec.Size = c.Int("size")
	}
	if c.IsSet("enlarge") {
		spec.Enlarge = unless(c, "enlarge", 1)
	}
	if c.IsSet("output-stride") {
		spec.OutputStride = unless(c, "output-stride", model.SourceStride)
	}
	if err := spec.Check(); err != nil {
		return spec, usageError{err}
	}
	return spec, nil
}

// quantizedConfig is that of a quantization-aware run after another: its net, data and seed, hence its validation images.
func quantizedConfig(c *cli.Context, run string) (train.Config, string, error) {
	for _, f := range c.LocalFlagNames() {
		switch f {
		case "qat", "teacher", "out", "data", "json", "save-every", "epochs", "batch", "lr", "backend":
		case "preset", "recipe", "devices":
			return train.Config{}, "", usagef("--%s has no place with --qat, which has a recipe of its own and one device", f)
		default:
			return train.Config{}, "", usagef("--%s is the other run's in one with --qat", f)
		}
	}
	if err := aboveZero(c, "epochs", "batch", "lr", "save-every"); err != nil {
		return train.Config{}, "", err
	}
	config, err := train.LoadConfig(run)
	if err != nil {
		return config, "", err
	}
	config.QAT, config.From, config.Preset, config.Changes, config.Args = absolute(run), "", train.PresetQAT, nil, os.Args[1:]
	config.Epochs, config.Batch, config.LR, config.Teachers = c.Int("epochs"), c.Int("batch"), c.Float64("lr"), allAbsolute(c.StringSlice("teacher"))
	config.SaveEvery, config.Backend, config.Out = c.Duration("save-every"), c.String("backend"), c.String("out")
	config.Devices = 0 // one: several do not train with quantization in the step
	if d := c.String("data"); d != "" {
		config.Data = absolute(d)
	}
	if config.Out == "" {
		if config.Out, err = train.NextRunDir(runsFolder, config.Spec.Name()+"-qat"); err != nil {
			return config, "", err
		}
	}
	return config, config.Data, nil
}

// resumeConfig is the recorded configuration of the run in --out, or of the newest.
func resumeConfig(c *cli.Context) (train.Config, string, error) {
	run := c.String("out")
	if run == "" {
		var err error
		if run, err = train.LatestBegun(runsFolder); err != nil {
			return train.Config{}, "", withHint(err, "name the run with --out")
		}
		say(c, "resuming %s", run)
	}
	for _, f := range c.LocalFlagNames() {
		switch f {
		case "resume", "out", "data", "json", "save-every":
		default:
			return train.Config{}, "", usagef("--%s can't be changed in a run that is resumed", f)
		}
	}
	if err := aboveZero(c, "save-every"); err != nil {
		return train.Config{}, "", err
	}
	config, err := train.LoadConfig(run)
	if err != nil {
		return config, "", err
	}
	config.Out, config.Resume = run, true
	if c.IsSet("save-every") {
		config.SaveEvery = c.Duration("save-every")
	}
	data := config.Data
	if d := c.String("data"); d != "" {
		data = d
	}
	return config, data, nil
}

// absolute makes the name of a file usable from any folder, and leaves the names of what is built in alone, whatever lies in this one.
func absolute(data string) string {
	if data == builtin.Name || slices.Contains(dataset.Names, data) {
		return data
	}
	if _, err := os.Stat(data); err != nil {
		return data
	}
	if abs, err := filepath.Abs(data); err == nil {
		return abs
	}
	return data
}

// openData opens a set of images with a progress bar, its images size pixels high and wide.
func openData(c *cli.Context, data string, size int) (*dataset.Set, error) {
	return openSome(c, data, dataset.Options{Size: size})
}

// openSome is openData for part of a set.
func openSome(c *cli.Context, data string, o dataset.Options) (*dataset.Set, error) {
	var b *bar
	o.Progress = func(done, total int) {
		if b == nil {
			b = newBar(c, total)
		}
		b.set(done, "reading images")
	}
	set, err := dataset.Open(c.Context, data, o)
	b.finish()
	return set, err
}

// trainProgress shows a run: a bar a terminal, a line an epoch anywhere.
type trainProgress struct {
	c   *cli.Context
	bar *bar
}

func (p *trainProgress) show(s train.Progress) {
	switch s.Phase {
	case train.PhaseNote:
		say(p.c, "note: %s", s.Note)
	case train.PhaseCompile:
		say(p.c, "compiling for %s", s.Backend)
	case train.PhaseTrain:
		if p.bar == nil {
			p.bar = newBar(p.c, int(s.Steps))
		}
		p.bar.set(int(s.Step), fmt.Sprintf("epoch %d/%d", s.Epoch+1, s.Epochs), fmt.Sprintf("left %v", s.Left.Round(time.Second)),
			fmt.Sprintf("loss %.3f", s.Loss), fmt.Sprintf("top-1 %.1f %%", 100*s.Accuracy), fmt.Sprintf("%.0f images/s", s.ImagesPerSecond))
	case train.PhaseValidate:
		mark := ""
		if s.Best {
			mark = "  best"
		}
		say(p.c, "epoch %d/%d  loss %.3f  validation %.2f %%  %.0f images/s  waiting %.1f %%%s",
			s.Epoch, s.Epochs, s.Loss, 100*s.ValTop1, s.ImagesPerSecond, 100*s.WaitShare, mark)
	}
}

// allAbsolute is absolute of each; nil of none.
func allAbsolute(data []string) (all []string) {
	for _, d := range data {
		all = append(all, absolute(d))
	}
	return all
}
