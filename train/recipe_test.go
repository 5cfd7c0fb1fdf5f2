package train

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"mnet-edge/model"
)

// The source's schedule, and the same shape over fewer epochs.
func TestRateSteps(t *testing.T) {
	r, err := Preset(PresetSeed)
	if err != nil {
		t.Fatal(err)
	}
	const perEpoch = 351
	for _, c := range []struct {
		epochs, epoch int
		rate          float64
	}{
		{200, 0, 0.1}, {200, 59, 0.1}, {200, 60, 0.02}, {200, 119, 0.02}, {200, 120, 0.004}, {200, 159, 0.004}, {200, 160, 0.0008}, {200, 199, 0.0008},
		{10, 2, 0.1}, {10, 3, 0.02}, {10, 6, 0.004}, {10, 8, 0.0008}, {1, 0, 0.1},
	} {
		r.Epochs = c.epochs
		for _, step := range []int64{int64(c.epoch) * perEpoch, int64(c.epoch+1)*perEpoch - 1} {
			if got := r.Rate(step, perEpoch); math.Abs(got-c.rate) > 1e-12 {
				t.Errorf("%d epochs, epoch %d, step %d: rate %v, want %v", c.epochs, c.epoch, step, got, c.rate)
			}
		}
	}
}

func TestRateTriangle(t *testing.T) {
	r := Recipe{Epochs: 4, LR: 1, Schedule: ScheduleTriangle, Warmup: 0.25}
	for step, want := range []float64{0.2, 0.4, 0.6, 0.8, 1, 15. / 16, 14. / 16} {
		if got := r.Rate(int64(step), 5); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: rate %v, want %v", step, got, want)
		}
	}
	if got := r.Rate(19, 5); math.Abs(got-1./16) > 1e-12 {
		t.Errorf("last step: rate %v, want 1/16", got)
	}
	// However short the run, every step has a rate in (0, LR].
	for epochs := 1; epochs < 6; epochs++ {
		for perEpoch := int64(1); perEpoch < 6; perEpoch++ {
			r.Epochs = epochs
			for step := range int64(epochs) * perEpoch {
				if got := r.Rate(step, perEpoch); !(got > 0 && got <= r.LR) {
					t.Errorf("%d epochs of %d steps, step %d: rate %v", epochs, perEpoch, step, got)
				}
			}
		}
	}
}

// What a configuration leaves open depends on the length of the run; what it says stands.
func TestPeak(t *testing.T) {
	for _, c := range []struct {
		preset string
		epochs int
		lr     float64
		want   float64
	}{{PresetFast, 0, 0, 0.3}, {PresetFast, 19, 0, 0.3}, {PresetFast, 20, 0, 0.1}, {PresetFast, 30, 0.3, 0.3}, {PresetSeed, 0, 0, 0.1}, {PresetSeed, 5, 0, 0.1}} {
		config := Config{Spec: tinySpec(model.NetD), Preset: c.preset, Epochs: c.epochs, LR: c.lr, Out: "run"}
		got, r, err := config.withDefaults()
		if err != nil || got.LR != c.want || r.LR != c.want {
			t.Errorf("%s, %d epochs, rate %v: got %v and %v, error %v, want %v", c.preset, c.epochs, c.lr, got.LR, r.LR, err, c.want)
		}
	}
}

// Changes replace what they name and nothing else; flags go before them, and a rate that they leave alone still depends on the run's length.
func TestChanges(t *testing.T) {
	fast, err := Preset(PresetFast)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*Recipe)) Recipe {
		r := fast
		r.Name += ", changed"
		change(&r)
		return r
	}
	for _, c := range []struct {
		config Config
		want   Recipe
	}{
		{Config{Changes: []byte(`{}`)}, with(func(*Recipe) {})},
		{Config{Changes: []byte(`{"name": "plain", "muon": 0, "identity": 0}`)}, with(func(r *Recipe) { r.Name, r.Muon, r.Identity = "plain", 0, 0 })},
		{Config{Changes: []byte(`{"momentum": 0.95}`), Epochs: 30}, with(func(r *Recipe) { r.Momentum, r.Epochs, r.LR = 0.95, 30, longRate })},
		{Config{Changes: []byte(`{}`), From: "run"}, with(func(r *Recipe) { r.LR = longRate })},
		{Config{Changes: []byte(`{"lr": 0.2, "epochs": 25}`)}, with(func(r *Recipe) { r.LR, r.Epochs = 0.2, 25 })},
		{Config{Changes: []byte(`{"lr": 0.3, "epochs": 25}`)}, with(func(r *Recipe) { r.LR, r.Epochs = 0.3, 25 })}, // the preset's own, but said
		{Config{Preset: PresetFast, Changes: []byte(`{"milestones": []}`)}, with(func(*Recipe) {})},
		{Config{Changes: []byte(`{"temperature": 2}`), Teachers: []string{"run"}}, with(func(r *Recipe) { r.Distill, r.Temperature, r.Mix = 1, 2, 0.5 })},
		{Config{Changes: []byte(`{"lr": 0.2, "batch": 64}`), LR: 0.4}, with(func(r *Recipe) { r.LR, r.Batch = 0.4, 64 })},
	} {
		c.config.Spec, c.config.Out = tinySpec(model.NetD), "run"
		if _, got, err := c.config.withDefaults(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, error %v, want %+v", c.config.Changes, got, err, c.want)
		}
	}
	for _, changes := range []string{``, `[]`, `{"momentun": 0.95}`, `{"momentum": 1.5}`, `{"momentum": "much"}`, `{"flip": "up"}`, `{"crop": -1}`, `{"cutout": -1}`,
		`{"muon": -1}`, `{"temperature": -1}`, `{"mix": 0.5}`, `{"schedule": "cosine"}`, `{"name": ""}`, `{"name": "two\nlines"}`, `{} {}`, `{"batch": 1}`, `{"epochs": -1}`,
		`{"milestones": [60, 120]}`, `{"schedule": "steps", "milestones": [0.5]}`, `{"cutout": 1025}`, `{"grow": 0.01}`, `{"grow": 0.99}`, `{"grow": 0.5, "sam": 0.1, "sam_last": 0.5, "epochs": 1}`, `{"sam": 0.1, "sam_last": 0.01}`, `{"epochs": 50001}`} {
		c := Config{Spec: tinySpec(model.NetD), Out: "run", Changes: []byte(changes)}
		if _, _, err := c.withDefaults(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: error %v, want ErrConfig", changes, err)
		}
	}
}

func TestPresetUnknown(t *testing.T) {
	if _, err := Preset("best"); !errors.Is(err, ErrConfig) {
		t.Errorf("error %v, want ErrConfig", err)
	}
}

// Mirrored edges are other images, and the card says so.
func TestRunMirrorsEdges(t *testing.T) {
	set := patterns(40, 8)
	run := func(changes string) (losses history, card string) {
		c := tinyConfig(t)
		c.Epochs, c.Changes = 1, []byte(changes)
		return told(t, c, set)
	}
	gray, card := run(`{}`)
	if strings.Contains(card, "(mirrored)") {
		t.Error("card.md says that gray edges are mirrored")
	}
	edges, card := run(`{"crop_mirrored": true}`)
	if edges[0].TrainLoss == gray[0].TrainLoss || !strings.Contains(card, "crop 2 (mirrored)") {
		t.Errorf("training loss %v, with gray edges %v; card.md:\n%s", edges[0].TrainLoss, gray[0].TrainLoss, card)
	}
}

// Whatever a recipe's file says, it is refused as such, or gives a recipe that is one again when it is read back.
func FuzzRecipe(f *testing.F) {
	for _, text := range []string{`{"name": "mine", "momentum": 0.95}`, `{"milestones": [0.5, 0.75], "schedule": "steps", "step_factor": 0.1}`, `{"lr": 1e400}`, `{} {}`, `{"grow": null}`} {
		f.Add([]byte(text))
	}
	preset, err := Preset(PresetFast)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := preset.with(text)
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Fatal(err)
			}
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := (Recipe{}).with(again); err != nil || !reflect.DeepEqual(back, r) {
			t.Fatalf("%+v, read back %+v, error %v", r, back, err)
		}
	})
}
