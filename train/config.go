package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"mnet-edge/model"
)

// The kinds of failure a caller may want to tell apart. Each error returned by Run wraps at most one of them; a
// checkpoint that is refused wraps model.ErrCheckpoint, a cancelled run the context's error, and what is left is
// I/O (the file's name is in the message) or a fault of ours.
var (
	ErrConfig   = errors.New("configuration refused")     // a field of Config out of range, or one that contradicts the run resumed
	ErrBackend  = errors.New("backend not available")     // the backend asked for cannot start on this machine
	ErrDiverged = errors.New("training diverged")         // the loss became infinite or not a number
	ErrBusy     = errors.New("run folder is in use")      // another process holds the run folder's lock
	ErrExists   = errors.New("run folder is not empty")   // a fresh run asked for in a folder that holds a run
	ErrNoRun    = errors.New("no run to resume")          // Resume asked for in a folder without a run
	ErrData     = errors.New("data does not fit the net") // classes, image size, or number of images
	errInternal = errors.New("computation graph refused") // a panic of the graph builder, recovered
)

// Config says everything about a run; with the data it fixes the resulting weights, bit for bit on one backend.
// The zero value of a field marked "0:" takes the value after the colon.
type Config struct {
	Spec   model.Spec `json:"spec"`
	Preset string     `json:"preset"` // name of a Recipe: "fast", "seed", or with QAT "qat"; "": "fast"

	// Changes to the preset: a JSON object of fields of Recipe, as "recipe" in a run's config.json has them. nil: none
	Changes json.RawMessage `json:"changes,omitempty"`

	Epochs      int     `json:"epochs"`       // 0: the recipe's
	Batch       int     `json:"batch"`        // images a step; 0: the recipe's
	LR          float64 `json:"lr"`           // (peak) learning rate; 0: the recipe's
	Seed        uint64  `json:"seed"`         // of the initial weights, the split, the order and the augmentation
	ValFraction float64 `json:"val_fraction"` // share of the training images held out to choose the best epoch; 0: 0.1
	Data        string  `json:"data"`         // recorded only: the data as the user named it
	Limit       int     `json:"limit"`        // recorded only: how many images the caller kept, 0 for all

	Backend string `json:"backend"`           // "auto", "xla", "cuda" or "go"; "": "auto"
	Plugin  string `json:"-"`                 // PJRT plugin's file; "": FindPlugin looks for it. Not recorded: a run may come from anyone, code may not
	Devices int    `json:"devices,omitempty"` // that share each batch, of the backend's; 0: see sharing

	QAT string `json:"qat,omitempty"` // run whose best weights a quantization-aware run begins with (its Preset is "qat"); "": an ordinary run

	// Run whose best weights this one begins with; of the net it may differ in the images' size and in the classes. "": it draws its own
	From string `json:"from,omitempty"`

	// Runs whose best weights teach this one, or models that OpenTeacher knows: Recipe.Distill of the loss is about their answers to each batch.
	// nil: no teacher
	Teachers []string `json:"teachers,omitempty"`

	TestFlip bool `json:"test_flip,omitempty"` // also test with the logits of each image and of its mirror image averaged; see Result.FlipTop1

	Out       string        `json:"out"`        // run folder, made by Run (see NextRunDir)
	Resume    bool          `json:"-"`          // go on from Out's checkpoint "last"
	SaveEvery time.Duration `json:"save_every"` // longest time between two checkpoints within an epoch; 0: one minute
	Args      []string      `json:"args"`       // recorded only: the command line as typed

	Progress func(Progress) `json:"-"` // called from Run's goroutine, for steps about ten times a second; nil: none

	// Opens a teacher of that name if it is a model in a file; nil for a name that is a run's. nil: all are runs
	OpenTeacher func(name string) (*Answers, error) `json:"-"`

	files model.Files // where all but the lock is written; nil: the operating system's
}

// maxEpochs bounds the history that a checkpoint's manifest has room for.
const maxEpochs = 50_000

// maxHoldout bounds the validation split: more images would not make the choice of an epoch noticeably surer.
const maxHoldout = 5000

// withDefaults fills in the zero fields and returns the recipe with the overrides applied.
func (c Config) withDefaults() (Config, Recipe, error) {
	c.Preset = cmp.Or(c.Preset, PresetFast)
	r, err := Preset(c.Preset)
	if err != nil {
		return c, r, err
	}
	preset := r
	if len(c.Teachers) > 0 {
		r = r.taught()
	}
	if c.Changes != nil {
		if r, err = r.with(c.Changes); err != nil {
			return c, r, err
		}
	}
	c.Epochs, c.Batch = cmp.Or(c.Epochs, r.Epochs), cmp.Or(c.Batch, r.Batch)
	if c.LR == 0 && !namesRate(c.Changes) {
		c.LR = preset.peak(c.Epochs, c.From == "")
	} else if c.LR == 0 {
		c.LR = r.LR
	}
	c.ValFraction = cmp.Or(c.ValFraction, 0.1)
	c.Backend = cmp.Or(c.Backend, BackendAuto)
	c.SaveEvery = cmp.Or(c.SaveEvery, time.Minute)
	if c.files == nil {
		c.files = model.OSFiles{}
	}
	r.Epochs, r.Batch, r.LR = c.Epochs, c.Batch, c.LR
	return c, r, c.check(r)
}

// namesRate says whether changes to a preset set the highest rate, be it to the preset's own.
func namesRate(changes []byte) bool {
	var rate struct {
		LR *float64 `json:"lr"`
	}
	return json.Unmarshal(changes, &rate) == nil && rate.LR != nil
}

// check reports the first field out of range, of a Config with its defaults filled in, r its recipe.
func (c Config) check(r Recipe) error {
	refuse := func(format string, a ...any) error {
		return fmt.Errorf("train: %s: %w", fmt.Sprintf(format, a...), ErrConfig)
	}
	if err := c.Spec.Check(); err != nil {
		return fmt.Errorf("train: %w: %w", err, ErrConfig)
	}
	switch {
	case c.Epochs < 1 || c.Epochs > maxEpochs:
		return refuse("%d epochs: want 1 to %d", c.Epochs, maxEpochs)
	case c.Batch < 2 || c.Batch > 1<<16:
		return refuse("batch %d: want 2 to %d", c.Batch, 1<<16)
	case !(c.LR > 0) || math.IsInf(c.LR, 0):
		return refuse("learning rate %v: want more than 0", c.LR)
	case !(c.ValFraction > 0 && c.ValFraction <= 0.5):
		return refuse("validation fraction %v: want more than 0 and at most 0.5", c.ValFraction)
	case r.Grow > 0 && r.smallEpochs() == 0:
		return refuse("grow %v of %d epochs is none", r.Grow, c.Epochs)
	case r.Grow < 1 && r.smallEpochs() == c.Epochs:
		return refuse("grow %v of %d epochs is all of them", r.Grow, c.Epochs)
	case r.SAMLast > 0 && r.uphillEpochs() == 0:
		return refuse("sam_last %v of %d epochs is none", r.SAMLast, c.Epochs)
	case r.Grow > 0 && halved(c.Spec).Check() != nil:
		return refuse("the recipe begins at half the resolution, and half of %d pixels is no multiple of 16", c.Spec.Size)
	case c.SaveEvery < 0:
		return refuse("time between checkpoints %v: want more than 0", c.SaveEvery)
	case c.Out == "":
		return refuse("no run folder")
	case len(c.Teachers) == 0 && r.Distill > 0:
		return refuse("the recipe has %v of a teacher's answers, and there is no teacher", r.Distill)
	case len(c.Teachers) > 0 && r.Distill == 0:
		return refuse("a teacher, and a recipe that learns nothing from it: want distill above 0")
	case len(c.Teachers) > c.Batch/max(2, c.Devices):
		return refuse("%d teachers: want an image of each batch for each, on each device", len(c.Teachers))
	case c.QAT != "" && c.From != "":
		return refuse("a quantization-aware run begins with the weights of the run it is about, and with no others")
	case (c.QAT != "") != (c.Preset == PresetQAT):
		return refuse("preset %s is for a run to go on from, and such a run takes no other", PresetQAT)
	}
	switch c.Backend {
	case BackendAuto, BackendXLA, BackendCUDA, BackendGo:
		return c.checkDevices()
	}
	return refuse("backend %q: want %s, %s, %s or %s", c.Backend, BackendAuto, BackendXLA, BackendCUDA, BackendGo)
}

// Phase says what a run is doing.
type Phase string

const (
	PhaseCompile  Phase = "compile"  // building and compiling the step; seconds on XLA
	PhaseTrain    Phase = "train"    // a training step is done
	PhaseValidate Phase = "validate" // an epoch is done: ValTop1 and ValLoss are about it
	PhaseTest     Phase = "test"     // the last evaluation, on the test split
	PhaseNote     Phase = "note"     // Note holds a line for the user
)

// Progress is a snapshot of a run.
type Progress struct {
	Phase   Phase
	Note    string // PhaseNote: one line, such as why auto chose the Go backend
	Backend string // "xla:cpu", "go"

	Epoch, Epochs   int   // epochs done (the one under way not counted) and wanted
	Step, EpochStep int64 // steps done, in all and in this epoch
	Steps, PerEpoch int64 // steps wanted, in all and an epoch

	LR       float64 // of the last step
	Loss     float64 // mean over this epoch so far
	Accuracy float64 // top-1 on the augmented training images over this epoch so far, 0..1
	ValLoss  float64 // PhaseValidate
	ValTop1  float64 // PhaseValidate, 0..1
	Best     bool    // PhaseValidate: the best epoch so far

	ImagesPerSecond float64       // since this call of Run began training; compilation and validation left out
	WaitShare       float64       // share of the training time spent waiting for data, 0..1
	Left            time.Duration // estimate of the time to the end
}

// Result is what a finished run reports. Accuracies are shares, 0..1.
type Result struct {
	Run         string  `json:"run"` // the run folder
	Net         string  `json:"net"` // one of model.Nets
	Width       float64 `json:"width"`
	Params      int     `json:"params"` // counted as the source does, four values a channel for each BN
	Epochs      int     `json:"epochs"`
	BestEpoch   int     `json:"best_epoch"` // from 1
	ValTop1     float64 `json:"val_top1"`   // of the best epoch; the figure it was chosen by
	TestTop1    float64 `json:"test_top1"`  // of the same weights, measured once, at the end
	TestN       int     `json:"test_n"`
	TestCorrect int     `json:"test_correct"`
	FlipTop1    float64 `json:"test_top1_with_flip,omitempty"` // Config.TestFlip: twice the work an image, so it stands beside TestTop1, never for it

	Seconds         float64 `json:"seconds"`           // training, all resumed parts together, compilation included
	ImagesPerSecond float64 `json:"images_per_second"` // of this part, compilation and validation left out; 0 when it trained nothing
	WaitShare       float64 `json:"wait_share"`
	Backend         string  `json:"backend"`

	Checkpoint string   `json:"-"` // folder of the best checkpoint
	Notes      []string `json:"-"` // what the user should know, such as a fall-back; each also came as a PhaseNote
}
