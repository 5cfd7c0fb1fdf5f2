package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mnet-edge/model"
)

// A run begins with another's best weights and normalization, on larger images too; interrupted and resumed it ends with the same weights.
func TestRunFrom(t *testing.T) {
	set := patterns(160, 40)
	first := tinyConfig(t)
	first.Spec, first.Epochs, first.Batch, first.LR = tinySpec(model.NetC), 8, 16, 0.1
	if res, err := Run(context.Background(), first, set); err != nil || res.TestTop1 < 0.9 {
		t.Fatalf("the run to begin with: %+v, error %v", res, err)
	}
	known, _, err := model.Load(first.Out)
	if err != nil {
		t.Fatal(err)
	}

	c := tinyConfig(t)
	c.Spec, c.Epochs, c.Batch, c.LR, c.From = first.Spec, 2, 16, 1e-9, first.Out
	whole, err := Run(context.Background(), c, set)
	if err != nil || whole.TestTop1 < 0.9 {
		t.Fatalf("at a rate of next to nothing: %+v, error %v", whole, err)
	}
	last := loadLast(t, c)
	if last.Input != known.Input {
		t.Errorf("normalization %v, want %v", last.Input, known.Input)
	}
	for _, p := range c.Spec.Params() { // the steps bring Muon's matrices to their norm, so not quite where they were
		for i, v := range last.Weights[p.Name].Data {
			if d := v - known.Weights[p.Name].Data[i]; p.Trainable && (d > 1e-3 || d < -1e-3) {
				t.Fatalf("%s: weight %d is %v away from where it began", p.Name, i, d)
			}
		}
	}
	if record, err := LoadRecord(c.Out); err != nil || record.BegunWith == nil || record.BegunWith.Net != first.Spec {
		t.Errorf("recorded %+v, error %v", record.BegunWith, err)
	}
	if card := string(mustRead(t, c.Out, cardFile)); !strings.Contains(card, "| begun with | net C") || strings.Contains(card, "to the identity") {
		t.Errorf("card.md does not say what the run began with:\n%s", card)
	}

	broken := c
	broken.Out = filepath.Join(t.TempDir(), "broken")
	interrupt(t, broken, set)
	broken.Resume = true
	other := broken
	other.From = c.Out
	if _, err := Run(context.Background(), other, set); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "begin with") {
		t.Errorf("resumed with another beginning: error %v", err)
	}
	if err := os.Rename(first.Out, first.Out+".moved"); err != nil { // what the run began with it needs no more
		t.Fatal(err)
	}
	ended, err := Run(context.Background(), broken, set)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Run(context.Background(), broken, set)
	if err != nil || again.TestCorrect != ended.TestCorrect || again.Seconds != ended.Seconds {
		t.Errorf("once more: %+v, error %v", again, err)
	}
	if record, err := LoadRecord(broken.Out); err != nil || record.BegunWith == nil {
		t.Errorf("recorded %+v, error %v", record.BegunWith, err)
	}
	if !reflect.DeepEqual(loadLast(t, broken).Weights, last.Weights) {
		t.Error("resumed: other weights")
	}
}

// Of a net that knows other classes the last layer is left out, and said to be.
func TestBeginOtherClasses(t *testing.T) {
	set, from := patterns(40, 8), checkpointOf(tinySpec(model.NetD), 3)
	drawn := checkpointOf(from.Spec, 4).Weights
	var notes []string
	r := &run{c: Config{Spec: from.Spec, From: "another", Progress: func(p Progress) { notes = append(notes, p.Note) }}, set: set, from: from}
	for _, same := range []bool{true, false} {
		from.Labels, notes = []string{"spoons", "forks", "knives", "plates"}, nil
		if same {
			from.Labels = set.Classes
		}
		weights := r.begin(drawn)
		for _, p := range from.Spec.Params() {
			want := from.Weights
			if !same && strings.HasPrefix(p.Name, "linear.") {
				want = drawn
			}
			if !reflect.DeepEqual(weights[p.Name], want[p.Name]) {
				t.Errorf("same classes %v: %s is not what it should begin as", same, p.Name)
			}
		}
		if (len(notes) == 0) != same {
			t.Errorf("same classes %v: notes %q", same, notes)
		}
	}
}

// Images that the other run learnt from are no fair validation: where the data is the same and the split another, a note says so.
func TestBeginOtherSplit(t *testing.T) {
	set, from := patterns(40, 8), checkpointOf(tinySpec(model.NetD), 3)
	set.SHA256, from.Labels = "this", set.Classes
	for _, c := range []struct {
		data, seed string
		held       float64
		val        string // "": a checkpoint of before it was stored
		flatters   bool
	}{
		{"this", "1", 4, "", false}, {"this", "2", 4, "", true}, {"this", "1", 8, "", true}, {"another", "2", 8, "", false},
		{"this", "2", 8, "held out here", false}, {"this", "1", 4, "others, of a part of the data", true}, {"another", "1", 4, "others", false},
	} {
		from.State, from.Metrics = map[string]string{"data_sha256": c.data, "seed": c.seed}, map[string]float64{"val_n": c.held}
		if c.val != "" {
			from.State["val_sha256"] = c.val
		}
		var notes []string
		r := &run{c: Config{Spec: from.Spec, Seed: 1, Progress: func(p Progress) { notes = append(notes, p.Note) }}, set: set, from: from}
		r.train, r.val = set.Holdout(1, 4)
		r.valSum = "held out here"
		if r.begin(from.Weights); (len(notes) > 0) != c.flatters {
			t.Errorf("%+v: notes %q", c, notes)
		}
	}
}

// What is no beginning for the net is refused before there is a run folder.
func TestFromRefused(t *testing.T) {
	set := patterns(40, 8)
	first := brief(t, set)
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   error
	}{
		{"no run", func(c *Config) { c.From = t.TempDir() }, model.ErrCheckpoint},
		{"another width", func(c *Config) { c.Spec.Width *= 2 }, model.ErrCheckpoint},
		{"another net", func(c *Config) { c.Spec.Net = model.NetC }, model.ErrCheckpoint},
		{"quantization in the step", func(c *Config) { c.Preset, c.QAT = PresetQAT, first }, ErrConfig},
	} {
		config := tinyConfig(t)
		config.From = first
		c.change(&config)
		refused(t, c.name, config, set, c.want)
	}
}
