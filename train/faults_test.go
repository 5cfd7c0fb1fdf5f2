package train

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mnet-edge/model"
	"mnet-edge/model/modeltest"
)

// stopAfter is a context that is found cancelled when it has been asked n times; a run asks before each batch.
type stopAfter struct {
	context.Context
	n *int
}

func (c stopAfter) Err() error {
	if *c.n--; *c.n < 0 {
		return context.Canceled
	}
	return nil
}

// stopped runs c until it has asked its context n times, and returns the step it was stopped at.
func stopped(t *testing.T, c Config, n int) int64 {
	t.Helper()
	if _, err := Run(stopAfter{context.Background(), &n}, c, patterns(60, 8)); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped run: error %v", err)
	}
	last, note, err := model.Load(filepath.Join(c.Out, "checkpoint", "last"))
	if err != nil || note != "" {
		t.Fatalf("stopped run: note %q, error %v", note, err)
	}
	return last.Step
}

// At whichever step the weights stop being finite, the run ends within the next one, and the checkpoints of before stay.
func TestDivergence(t *testing.T) {
	for _, asked := range []int{1, 2, 5, 7, 8, 12} { // in both epochs, the step before the last and the one before the first among them
		c := tinyConfig(t)
		before := stopped(t, c, asked)
		reload(t, c, func(last *model.Checkpoint) {
			for _, m := range last.Optimizer {
				for i := range m.Data {
					m.Data[i] = 3e38
				}
			}
		})
		manifests := func() (text string) {
			for _, name := range []string{"best", "best.old", "last", "last.old"} {
				b, err := os.ReadFile(filepath.Join(c.Out, "checkpoint", name, "manifest.json"))
				text += fmt.Sprintf("%s %v\n%s", name, errors.Is(err, fs.ErrNotExist), b)
			}
			return text
		}
		want := manifests()
		c.Resume = true
		_, err := Run(context.Background(), c, patterns(60, 8))
		if !errors.Is(err, ErrDiverged) {
			t.Fatalf("poisoned at step %d: error %v, want ErrDiverged", before, err)
		}
		at := regexp.MustCompile(`step (\d+)`).FindStringSubmatch(err.Error())
		if at == nil {
			t.Fatalf("%v: no step is named", err)
		}
		// Step before+1 computes its loss, then spoils the weights; the next loss, of a step or an evaluation, shows it.
		if step, _ := strconv.ParseInt(at[1], 10, 64); step > before+2 {
			t.Errorf("poisoned after step %d, ended at %d", before, step)
		}
		if manifests() != want {
			t.Errorf("poisoned after step %d: the diverged run touched its checkpoints", before)
		}
		for _, name := range []string{"best", "last"} {
			path := filepath.Join(c.Out, "checkpoint", name)
			if _, note, err := model.Load(path); (err != nil || note != "") && !none(path) {
				t.Errorf("%s after diverging: note %q, error %v", name, note, err)
			}
		}
	}
}

// Without a best checkpoint to be read, the run ends with the one before it, or with the last, and reports that one's figures.
func TestBestDamaged(t *testing.T) {
	set := patterns(60, 8)
	for _, damaged := range [][]string{{"best"}, {"best", "best.old"}} {
		c := tinyConfig(t)
		c.Epochs, c.LR = 3, 0.05
		if _, err := Run(context.Background(), c, set); err != nil {
			t.Fatal(err)
		}
		for _, name := range damaged {
			if err := os.Truncate(filepath.Join(c.Out, "checkpoint", name, "weights.safetensors"), 50); err != nil {
				t.Fatal(err)
			}
		}
		c.Resume = true
		res, err := Run(context.Background(), c, set)
		if err != nil {
			t.Fatalf("damaged %v: %v", damaged, err)
		}
		if len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "best") {
			t.Errorf("damaged %v: notes %q", damaged, res.Notes)
		}
		stored, note, err := model.Load(c.Out)
		if err != nil || note != "" || stored.Epoch != res.BestEpoch || stored.Metrics["val_top1"] != res.ValTop1 {
			t.Errorf("damaged %v: stored epoch %d with %v, note %q, error %v; reported epoch %d with %v",
				damaged, stored.Epoch, stored.Metrics, note, err, res.BestEpoch, res.ValTop1)
		}
		rows, err := csv.NewReader(bytes.NewReader(mustRead(t, c.Out, metricsFile))).ReadAll()
		if err != nil || rows[res.BestEpoch][6] != strconv.FormatFloat(res.ValTop1, 'g', 6, 64) {
			t.Errorf("damaged %v: epoch %d reported with %v, metrics.csv has %v, error %v", damaged, res.BestEpoch, res.ValTop1, rows, err)
		}
	}
}

// Another run's best weights, of a net with the same parameters or with others, are not taken for this one's, whether it has ended or not.
func TestBestOfAnotherRun(t *testing.T) {
	set := patterns(60, 8)
	run := func(change func(*Config)) Config {
		c := tinyConfig(t)
		change(&c)
		if _, err := Run(context.Background(), c, set); err != nil {
			t.Fatal(err)
		}
		c.Resume = true
		return c
	}
	for name, change := range map[string]func(*Config){
		"no intermediate ReLU": func(c *Config) { c.Spec.MidReLU = false },
		"width":                func(c *Config) { c.Spec.Width *= 2 },
		"seed":                 func(c *Config) { c.Seed++ },
	} {
		for _, closed := range []bool{true, false} {
			own, other := run(func(*Config) {}), run(change)
			best := filepath.Join(own.Out, "checkpoint", "best")
			if err := errors.Join(os.RemoveAll(best), os.RemoveAll(best+".old"), os.CopyFS(best, os.DirFS(filepath.Join(other.Out, "checkpoint", "best")))); err != nil {
				t.Fatal(err)
			}
			if !closed {
				if err := os.Remove(filepath.Join(own.Out, cardFile)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Run(context.Background(), own, set); !errors.Is(err, model.ErrCheckpoint) || !strings.Contains(err.Error(), "best") {
				t.Errorf("%s, closed %v: %v", name, closed, err)
			}
			if c, _, err := model.Load(other.Out); err != nil || c.Spec != other.Spec {
				t.Errorf("%s: the other run's are %v, error %v", name, c, err)
			}
		}
	}
}

// Whichever write of a run fails, as on a full disk or on one that breaks, the error is of that kind and names the file, what
// was in the folder is there, old or new but whole, and the run can be gone on with.
func TestFailingWrites(t *testing.T) {
	set := patterns(24, 4)
	begun := tinyConfig(t)
	begun.SaveEvery = time.Hour
	whole := begun
	whole.Out += "-whole"
	if _, err := Run(context.Background(), whole, set); err != nil {
		t.Fatal(err)
	}
	interrupt(t, begun, set) // within the second epoch
	config := mustRead(t, begun.Out, configFile)

	failures := 0
	for n := 1; ; n++ {
		fault := &modeltest.Files{N: n, Err: syscall.EIO}
		if n%2 == 0 {
			fault.Then, fault.Err = modeltest.Full, syscall.ENOSPC
		}
		c := begun
		c.Out, c.Resume, c.files = filepath.Join(t.TempDir(), "run"), true, fault
		if err := os.CopyFS(c.Out, os.DirFS(begun.Out)); err != nil {
			t.Fatal(err)
		}
		_, err := Run(context.Background(), c, set)
		if fault.Failed == "" {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		failures++
		if !errors.Is(err, fault.Err) || !strings.Contains(err.Error(), fault.Failed) {
			t.Errorf("write %d: error %v, want %v about %s", n, err, fault.Err, fault.Failed)
		}
		if !bytes.Equal(config, mustRead(t, c.Out, configFile)) {
			t.Errorf("write %d: config.json has changed", n)
		}
		checkFolder(t, fmt.Sprintf("write %d failed at %s", n, fault.Failed), c.Out)
		if n%7 != 0 { // of either kind of fault some
			continue
		}
		c.files = nil
		if _, err := Run(context.Background(), c, set); err != nil {
			t.Errorf("resumed after write %d failed: %v", n, err)
		}
		modeltest.SameWeights(t, fmt.Sprintf("resumed after write %d failed", n), c.Out, whole.Out)
	}
	if failures < 50 {
		t.Errorf("only %d writes to fail", failures)
	}
	t.Logf("%d writes failed, one at a time", failures)

	// A fresh run, of which nothing is there to keep: the first writes, up to config.json's last.
	for n := 1; n <= 7; n++ {
		c := begun
		fault := &modeltest.Files{N: n, Err: syscall.ENOSPC, Then: modeltest.Full}
		c.Out, c.files = filepath.Join(t.TempDir(), "run"), fault
		if _, err := Run(context.Background(), c, set); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), fault.Failed) {
			t.Errorf("fresh run, write %d: error %v", n, err)
		}
		if _, err := LoadConfig(c.Out); err != nil && !errors.Is(err, ErrNoRun) {
			t.Errorf("fresh run, write %d: config.json: %v", n, err)
		}
	}
}

// checkFolder sees that each file of a run's folder is absent or whole, with one or two epochs in it.
func checkFolder(t *testing.T, when, dir string) {
	t.Helper()
	for _, name := range []string{"best", "last"} {
		if _, _, err := model.Load(filepath.Join(dir, "checkpoint", name)); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(mustRead(t, dir, metricsFile))).ReadAll()
	if err != nil || len(rows) < 2 || len(rows) > 3 {
		t.Errorf("%s: metrics.csv has %d rows, error %v", when, len(rows), err)
	}
	for _, name := range []string{curvesFile, confusionFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && name == confusionFile {
			continue
		}
		if err == nil {
			_, err = png.Decode(bytes.NewReader(b))
		}
		if err != nil {
			t.Errorf("%s: %s: %v", when, name, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, cardFile)); err == nil && !bytes.HasSuffix(b, []byte("3. dark\n")) {
		t.Errorf("%s: the card is cut off:\n%s", when, b)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "events.out.*"))
	if len(files) != 1 {
		t.Fatalf("%s: event files %v", when, files)
	}
	var h history
	for _, row := range rows[1:2] {
		step, _ := strconv.ParseInt(row[1], 10, 64)
		h = append(h, epochRow{Step: step})
	}
	// The second epoch's record may be torn, which TensorBoard takes for one still being written; the first is whole.
	events := mustRead(t, files[0])
	first := len(h.events(time.Unix(0, 0)))
	if got := readEvents(t, events[:first]); len(got) != 2 || got[1].step != h[0].Step {
		t.Errorf("%s: events %+v", when, got)
	}
}

// A file that a kill left half-written under its temporary name is cleared away by the next writer.
func TestLeftovers(t *testing.T) {
	c := Config{Out: t.TempDir(), files: model.OSFiles{}}
	if err := os.WriteFile(filepath.Join(c.Out, "."+metricsFile+".new"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.writeFile(metricsFile, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(c.Out)
	if err != nil || len(entries) != 1 || string(mustRead(t, c.Out, metricsFile)) != "whole" {
		t.Errorf("in the folder: %v, error %v", entries, err)
	}
}

// An interrupt does not wait for the compiler, and costs nothing that was stored.
func TestInterruptedWhileCompiling(t *testing.T) {
	set := patterns(24, 4)
	c := tinyConfig(t)
	whole := c
	whole.Out += "-whole"
	if _, err := Run(context.Background(), whole, set); err != nil {
		t.Fatal(err)
	}
	for c.Resume = false; ; c.Resume = true {
		ctx, cancel := context.WithCancel(context.Background())
		k := c
		k.Progress = func(p Progress) {
			if p.Phase == PhaseCompile || p.Phase == PhaseValidate {
				cancel()
			}
		}
		_, err := Run(ctx, k, set)
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		if c.Resume {
			break
		}
	}
	if _, err := Run(context.Background(), c, set); err != nil {
		t.Fatal(err)
	}
	modeltest.SameWeights(t, "interrupted while compiling", c.Out, whole.Out)
}

// A run killed while it stored its first checkpoint has the beginnings of one, and begins anew.
func TestResumeAfterHalfAFirstCheckpoint(t *testing.T) {
	set, c := patterns(32, 8), tinyConfig(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, c, set); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want a cancelled run", err)
	}
	checkpoints := filepath.Join(c.Out, "checkpoint")
	if err := os.RemoveAll(checkpoints); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(checkpoints, "last.new")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "weights.safetensors"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.Resume = true
	res, err := Run(context.Background(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Notes) == 0 || !strings.Contains(strings.Join(res.Notes, "\n"), "beginning anew") {
		t.Errorf("notes %q", res.Notes)
	}
}
