package train

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mnet-edge/dataset"
	"mnet-edge/model"
	"mnet-edge/model/modeltest"
)

// patterns is a set that a net can learn in a moment: four classes of 16x16 images, told apart by where they are bright.
func patterns(trainN, testN int) *dataset.Set {
	rng := rand.New(rand.NewPCG(4, 4))
	split := func(n int) dataset.Split {
		s := dataset.Split{N: n, H: 16, W: 16, Pixels: make([]byte, n*16*16*3), Labels: make([]uint16, n)}
		for i := range n {
			label := i % 4
			s.Labels[i] = uint16(label)
			for p := range 16 * 16 {
				v := rng.IntN(100)
				if bright := [4]bool{p/16%8 < 4, p%8 < 4, (p/16+p)%8 < 4, false}[label]; bright {
					v += 120
				}
				for c := range 3 {
					s.Image(i)[p*3+c] = byte(v)
				}
			}
		}
		return s
	}
	return &dataset.Set{Name: "patterns", Classes: []string{"rows", "columns", "slants", "dark"}, Train: split(trainN), Test: split(testN), SHA256: "of patterns"}
}

func tinyConfig(t *testing.T) Config {
	return Config{Spec: tinySpec(model.NetD), Epochs: 2, Batch: 8, Seed: 1, Backend: BackendGo, Out: filepath.Join(t.TempDir(), "run")}
}

// brief is the folder of a run of one epoch.
func brief(t *testing.T, set *dataset.Set) string {
	t.Helper()
	c := tinyConfig(t)
	c.Epochs = 1
	told(t, c, set)
	return c.Out
}

// told is what a run leaves for its reader: its epochs and its card.
func told(t *testing.T, c Config, set *dataset.Set) (epochs history, card string) {
	t.Helper()
	if _, err := Run(t.Context(), c, set); err != nil {
		t.Fatal(err)
	}
	epochs, err := decodeHistory(loadLast(t, c).State["history"])
	if err != nil {
		t.Fatal(err)
	}
	return epochs, string(mustRead(t, c.Out, cardFile))
}

// A whole run: it learns, it chooses by validation, and its folder holds what it should.
func TestRun(t *testing.T) {
	set := patterns(160, 40)
	c := tinyConfig(t)
	c.Spec, c.Epochs, c.Batch, c.LR = tinySpec(model.NetC), 8, 16, 0.1
	var phases []Phase
	c.Progress = func(p Progress) {
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		}
		if p.Phase == PhaseTrain && (p.EpochStep < 1 || p.EpochStep > p.PerEpoch || !finite(p.Loss)) {
			t.Errorf("progress %+v", p)
		}
	}
	res, err := Run(context.Background(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	if res.TestTop1 < 0.9 || res.TestN != 40 || res.TestCorrect != int(math.Round(res.TestTop1*40)) {
		t.Errorf("test top-1 %v, %d of %d", res.TestTop1, res.TestCorrect, res.TestN)
	}
	if phases[0] != PhaseCompile || phases[len(phases)-1] != PhaseTest {
		t.Errorf("phases %v", phases)
	}

	rows, err := csv.NewReader(bytes.NewReader(mustRead(t, c.Out, metricsFile))).ReadAll()
	if err != nil || len(rows) != 1+c.Epochs {
		t.Fatalf("metrics.csv: %d rows, error %v", len(rows), err)
	}
	best := 0.0
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[6], 64)
		if err != nil {
			t.Fatal(err)
		}
		best = max(best, v)
	}
	if math.Abs(best-res.ValTop1) > 1e-5 || rows[res.BestEpoch][6] != strconv.FormatFloat(res.ValTop1, 'g', 6, 64) {
		t.Errorf("best epoch %d with %v, metrics.csv says %v", res.BestEpoch, res.ValTop1, rows)
	}
	if _, err := png.Decode(bytes.NewReader(mustRead(t, c.Out, curvesFile))); err != nil {
		t.Errorf("curves.png: %v", err)
	}
	if card := string(mustRead(t, c.Out, cardFile)); !strings.Contains(card, strconv.Itoa(res.TestCorrect)+" of 40") {
		t.Errorf("card.md:\n%s", card)
	}
	got, err := LoadConfig(c.Out)
	if err != nil || got.Spec != c.Spec || got.Seed != c.Seed || got.Batch != 16 || got.Out != c.Out {
		t.Errorf("recorded configuration %+v, error %v", got, err)
	}
	ckpt, note, err := model.Load(c.Out)
	if err != nil || note != "" || ckpt.Metrics["val_top1"] != res.ValTop1 || ckpt.Metrics["test_top1"] != res.TestTop1 || ckpt.Epoch != res.BestEpoch {
		t.Errorf("best checkpoint %+v, note %q, error %v", ckpt.Metrics, note, err)
	}
	if latest, err := LatestRun(filepath.Dir(c.Out)); err != nil || latest != c.Out {
		t.Errorf("latest run %q, error %v", latest, err)
	}

	// Resumed when it is done, a run says the same again and changes nothing. One that was killed before its last file is closed anew.
	before := map[string]string{}
	for _, f := range []string{resultFile, cardFile, metricsFile, configFile} {
		before[f] = string(mustRead(t, c.Out, f))
	}
	c.Resume, c.Progress = true, nil
	again, err := Run(context.Background(), c, set)
	if err != nil || !reflect.DeepEqual(again, res) {
		t.Errorf("resumed when done: %+v, error %v, want %+v", again, err, res)
	}
	for f, want := range before {
		if got := string(mustRead(t, c.Out, f)); got != want {
			t.Errorf("resumed when done: %s is %s, it was %s", f, got, want)
		}
	}
	if err := os.Remove(filepath.Join(c.Out, cardFile)); err != nil {
		t.Fatal(err)
	}
	again, err = Run(context.Background(), c, set)
	if err != nil || again.TestCorrect != res.TestCorrect || again.BestEpoch != res.BestEpoch || again.ValTop1 != res.ValTop1 {
		t.Errorf("closed anew: %+v, error %v", again, err)
	}
	mustRead(t, c.Out, cardFile)
}

// A run that is broken off again and again ends with the weights of an unbroken one, bit for bit, and with the same records.
func TestResumeIsExact(t *testing.T) {
	set := patterns(60, 8)
	for _, preset := range []string{PresetFast, PresetSeed} {
		c := tinyConfig(t)
		c.Preset, c.LR = preset, 0.05
		if _, err := Run(context.Background(), c, set); err != nil {
			t.Fatal(err)
		}
		whole := c.Out

		c.Out += "-broken"
		broken := 0
		for c.Resume = false; ; c.Resume = true {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			c.SaveEvery = time.Nanosecond // stores after each step, so that each step of the schedule is begun from a checkpoint once
			c.Progress = func(p Progress) {
				if p.Phase == PhaseValidate || p.Phase == PhaseTrain {
					cancel()
				}
			}
			_, err := Run(ctx, c, set)
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if broken++; broken > 100 {
				t.Fatal("the run does not come to an end")
			}
		}
		if broken < 3 {
			t.Errorf("%s: broken off %d times only", preset, broken)
		}
		for _, name := range []string{"best", "last"} {
			want, _, err := model.Load(filepath.Join(whole, "checkpoint", name))
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := model.Load(filepath.Join(c.Out, "checkpoint", name))
			if err != nil {
				t.Fatal(err)
			}
			if got.Step != want.Step || !reflect.DeepEqual(got.Weights, want.Weights) || !reflect.DeepEqual(got.Optimizer, want.Optimizer) {
				t.Errorf("%s: %s of the broken run (step %d) differs from the whole run's (step %d)", preset, name, got.Step, want.Step)
			}
		}
		columns := func(dir string) (rows [][]string) {
			all, err := csv.NewReader(bytes.NewReader(mustRead(t, dir, metricsFile))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				rows = append(rows, r[:7]) // the rest are times
			}
			return rows
		}
		if got, want := columns(c.Out), columns(whole); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: metrics of the broken run\n%v\nof the whole run\n%v", preset, got, want)
		}
	}
}

// The seed decides: the same gives the same weights, another gives others.
func TestSeed(t *testing.T) {
	set := patterns(40, 8)
	weights := func(seed uint64) model.Weights {
		c := tinyConfig(t)
		c.Epochs, c.Seed = 1, seed
		if _, err := Run(context.Background(), c, set); err != nil {
			t.Fatal(err)
		}
		ckpt, _, err := model.Load(c.Out)
		if err != nil {
			t.Fatal(err)
		}
		return ckpt.Weights
	}
	a, b, other := weights(1), weights(1), weights(2)
	if !reflect.DeepEqual(a, b) {
		t.Error("the same seed gives other weights")
	}
	if reflect.DeepEqual(a, other) {
		t.Error("another seed gives the same weights")
	}
}

// interrupt runs c until the first epoch is done.
func interrupt(t *testing.T, c Config, set *dataset.Set) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.Progress = func(p Progress) {
		if p.Phase == PhaseValidate {
			cancel()
		}
	}
	if _, err := Run(ctx, c, set); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted run: error %v", err)
	}
}

// A run that goes on with another build of the program says so, since its weights may be others; the folder keeps what it was begun with.
func TestResumeOtherBuild(t *testing.T) {
	set := patterns(40, 8)
	c := tinyConfig(t)
	interrupt(t, c, set)
	record, err := LoadRecord(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	if record.Versions["go"] == "" || record.CPUs == 0 || record.Device == "" || !strings.Contains(record.Machine(), record.CPU) {
		t.Errorf("the record does not say what made it: %+v", record)
	}
	now := record
	if now.CPU = "another"; record.CPU != "" && record.moved(now) != "begun on "+record.CPU+", going on with another" {
		t.Errorf("on another processor: %q", record.moved(now))
	}
	record.Versions["go"] = "go1.0"
	record.Out, record.files = c.Out, model.OSFiles{}
	if err := record.write(); err != nil {
		t.Fatal(err)
	}
	c.Resume = true
	res, err := Run(t.Context(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	want := "begun with go go1.0, going on with " + runtime.Version()
	if !slices.ContainsFunc(res.Notes, func(n string) bool { return strings.Contains(n, want) }) {
		t.Errorf("notes %q, want %q", res.Notes, want)
	}
	if again, err := LoadRecord(c.Out); err != nil || again.Versions["go"] != "go1.0" {
		t.Errorf("the record now has %v, error %v", again.Versions, err)
	}
}

// The data's hash does not know what its classes are called.
func TestResumeOtherClasses(t *testing.T) {
	set := patterns(40, 8)
	c := tinyConfig(t)
	interrupt(t, c, set)
	renamed := *set
	renamed.Classes = []string{"columns", "rows", "slants", "dark"}
	c.Resume = true
	if _, err := Run(t.Context(), c, &renamed); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "classes") {
		t.Errorf("error %v", err)
	}
}

// What is left is counted in steps of their own length.
func TestLeft(t *testing.T) {
	r := &run{c: Config{Epochs: 5}, recipe: Recipe{Epochs: 5, Grow: 0.4, SAM: 0.1, SAMLast: 0.2}, epoch: 1}
	if got := r.left(4, 10); got != 6*0.25+10+10+20 {
		t.Errorf("%v steps", got)
	}
}

// An epoch took the time that it took in all calls of Run, and where it ends at the first step of one its speed is not known.
func TestEpochSeconds(t *testing.T) {
	set := patterns(40, 8)
	c := tinyConfig(t)
	interrupt(t, c, set) // after the first epoch of two
	reload(t, c, func(last *model.Checkpoint) { last.State["epoch_seconds"] = "1000.000" })
	c.Resume = true
	epochs, _ := told(t, c, set)
	if s := epochs[1].Seconds; s < 1000 || s > 1900 {
		t.Errorf("%v seconds, 1000 of them before", s)
	}
	if row := strings.Split(string(history{{Epoch: 1}}.csv()), "\n")[1]; !strings.HasSuffix(row, ",0,") {
		t.Errorf("a row without speed: %q", row)
	}
}

// refused runs c, which fails as wanted before there is a run folder.
func refused(t *testing.T, name string, c Config, set *dataset.Set, want error) {
	t.Helper()
	if _, err := Run(context.Background(), c, set); !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", name, err, want)
	}
	if _, err := os.Stat(c.Out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: the run folder is there: %v", name, err)
	}
}

// loadLast is the checkpoint "last" of c's run.
func loadLast(t *testing.T, c Config) *model.Checkpoint {
	t.Helper()
	return modeltest.LoadLast(t, c.Out)
}

// reload changes a run's checkpoint "last" as change says.
func reload(t *testing.T, c Config, change func(*model.Checkpoint)) {
	t.Helper()
	last := loadLast(t, c)
	change(last)
	if err := model.Save(filepath.Join(c.Out, "checkpoint"), "last", last); err != nil {
		t.Fatal(err)
	}
}

// A damaged "last" is left for the one before it, and the run says so and still ends as it would have.
func TestResumeFromTheOneBefore(t *testing.T) {
	set := patterns(60, 8)
	c := tinyConfig(t)
	c.SaveEvery = time.Nanosecond
	interrupt(t, c, set)
	path := filepath.Join(c.Out, "checkpoint", "last", "weights.safetensors")
	data := mustRead(t, path)
	data[len(data)/2] ^= 4
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	c.Resume = true
	res, err := Run(context.Background(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "last.old") {
		t.Errorf("notes %q, want one about last.old", res.Notes)
	}
}

func TestRunRefuses(t *testing.T) {
	set := patterns(60, 8)
	begun := tinyConfig(t)
	interrupt(t, begun, set)
	for _, x := range []struct {
		name string
		want error
		c    func(*Config)
		set  *dataset.Set
	}{
		{"unknown preset", ErrConfig, func(c *Config) { c.Preset = "slow" }, set},
		{"unknown backend", ErrConfig, func(c *Config) { c.Backend = "tpu" }, set},
		{"no epochs", ErrConfig, func(c *Config) { c.Epochs = -1 }, set},
		{"batch of one", ErrConfig, func(c *Config) { c.Batch = 1 }, set},
		{"batch larger than the set", ErrConfig, func(c *Config) { c.Batch = 55 }, set},
		{"rate", ErrConfig, func(c *Config) { c.LR = math.NaN() }, set},
		{"validation fraction", ErrConfig, func(c *Config) { c.ValFraction = 0.9 }, set},
		{"nothing left of the images", ErrConfig, func(c *Config) { c.Changes = []byte(`{"cutout": 63}`) }, set},
		{"nor more", ErrConfig, func(c *Config) { c.Changes = []byte(`{"cutout": 64}`) }, set},
		{"spec", ErrConfig, func(c *Config) { c.Spec.Width = -1 }, set},
		{"no folder", ErrConfig, func(c *Config) { c.Out = "" }, set},
		{"classes", ErrData, func(c *Config) { c.Spec.Classes = 5 }, set},
		{"image size", ErrData, func(c *Config) { c.Spec.Size = 32 }, set},
		{"no test images", ErrData, func(c *Config) {}, patterns(60, 0)},
		{"one image", ErrData, func(c *Config) {}, patterns(1, 8)},
		{"no plugin", ErrBackend, func(c *Config) { c.Backend, c.Plugin = BackendXLA, filepath.Join(c.Out, "none.so") }, set},
		{"no CUDA", ErrBackend, func(c *Config) { c.Backend, c.Plugin = BackendCUDA, filepath.Join(c.Out, "none.so") }, set},
		{"nothing to resume", ErrNoRun, func(c *Config) { c.Resume = true }, set},
		{"a run is there", ErrExists, func(c *Config) { c.Out = begun.Out }, set},
		{"resumed with another seed", ErrConfig, func(c *Config) { c.Out, c.Resume, c.Seed = begun.Out, true, 2 }, set},
		{"resumed with another net", ErrConfig, func(c *Config) { c.Out, c.Resume, c.Spec.Net = begun.Out, true, model.NetC }, set},
		{"resumed with other epochs", ErrConfig, func(c *Config) { c.Out, c.Resume, c.Epochs = begun.Out, true, 3 }, set},
		{"resumed with other data", ErrConfig, func(c *Config) { c.Out, c.Resume = begun.Out, true }, patterns(64, 8)},
	} {
		c := tinyConfig(t)
		x.c(&c)
		if _, err := Run(context.Background(), c, x.set); !errors.Is(err, x.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %v", x.name, err, x.want)
		}
	}
	if _, _, err := model.Load(begun.Out); err != nil {
		t.Errorf("after all the refusals: %v", err)
	}

	for name, change := range map[string]func(*model.Checkpoint){
		"without optimizer state": func(k *model.Checkpoint) { k.Optimizer = nil },
		"with a short momentum": func(k *model.Checkpoint) {
			k.Optimizer["momentum.linear.bias"] = model.Tensor{Shape: []int{1}, Data: []float32{0}}
		},
		"of an impossible step":  func(k *model.Checkpoint) { k.Step = 1000 },
		"with a damaged history": func(k *model.Checkpoint) { k.State["history"] = "[{" },
		"without sums":           func(k *model.Checkpoint) { delete(k.State, "epoch_loss") },
	} {
		c := tinyConfig(t)
		interrupt(t, c, set)
		reload(t, c, change)
		c.Resume = true
		if _, err := Run(context.Background(), c, set); !errors.Is(err, model.ErrCheckpoint) {
			t.Errorf("checkpoint %s: error %v, want ErrCheckpoint", name, err)
		}
	}
}

// A run killed before its first checkpoint begins anew when resumed.
func TestResumeWithoutCheckpoint(t *testing.T) {
	set := patterns(40, 8)
	c := tinyConfig(t)
	c.Epochs = 1
	interruptedAt := func(p Progress) {
		if p.Phase == PhaseCompile { // config.json is written, nothing else
			panic("killed")
		}
	}
	func() {
		defer func() { recover() }()
		k := c
		k.Progress = interruptedAt
		Run(context.Background(), k, set)
	}()
	root := filepath.Dir(c.Out)
	if latest, err := LatestBegun(root); err != nil || latest != c.Out {
		t.Errorf("latest run begun %q, error %v, want %q", latest, err, c.Out)
	}
	if latest, err := LatestRun(root); !errors.Is(err, ErrNoRun) {
		t.Errorf("latest run with a checkpoint %q, error %v, want none", latest, err)
	}
	c.Resume = true
	res, err := Run(context.Background(), c, set)
	if err != nil || len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "anew") {
		t.Errorf("result %+v, error %v", res, err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second lock: error %v, want ErrBusy naming process %d", err, os.Getpid())
	}
	unlock()
	again, err := lockFolder(dir)
	if err != nil {
		t.Fatalf("after unlocking: %v", err)
	}
	again()
}

func TestNextRunDir(t *testing.T) {
	root := filepath.Join(t.TempDir(), "runs")
	if _, err := LatestRun(root); !errors.Is(err, ErrNoRun) {
		t.Errorf("latest of none: error %v, want ErrNoRun", err)
	}
	for _, want := range []string{"D-w1-001", "D-w1-002"} {
		if dir, err := NextRunDir(root, "D-w1"); err != nil || dir != filepath.Join(root, want) {
			t.Errorf("next folder %q, error %v, want %s", dir, err, want)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "D-w1-041"), 0o755); err != nil {
		t.Fatal(err)
	}
	if dir, err := NextRunDir(root, "D-w1"); err != nil || filepath.Base(dir) != "D-w1-042" {
		t.Errorf("after 041: %q, error %v", dir, err)
	}
	if dir, err := NextRunDir(root, "D-w1-nomid"); err != nil || filepath.Base(dir) != "D-w1-nomid-001" {
		t.Errorf("another name: %q, error %v", dir, err)
	}
}

func TestNormalization(t *testing.T) {
	s := &dataset.Split{N: 1, H: 1, W: 2, Pixels: []byte{10, 20, 30, 50, 60, 70}}
	// The mean is 40; the deviations from it are 30 20 10 10 20 30, their mean square 466.7.
	if got := normalization(s); got.Mean != 40 || got.Std != 21.6 {
		t.Errorf("normalization %+v, want mean 40, std 21.6", got)
	}
	if got := normalization(&dataset.Split{N: 1, H: 1, W: 1, Pixels: []byte{7, 7, 7}}); got.Mean != 7 || got.Std != 1 {
		t.Errorf("one colour: %+v, want mean 7, std 1", got)
	}
}

func mustRead(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
