package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mnet-edge/model"
	"mnet-edge/train"
)

// finished writes the folder of a run that is done.
func finished(t *testing.T, name string, seed uint64, change func(*train.Record)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	recipe, err := train.Preset(train.PresetFast)
	if err != nil {
		t.Fatal(err)
	}
	r := train.Record{Config: train.Config{Spec: model.DefaultSpec(model.NetD), Seed: seed}, Recipe: recipe}
	change(&r)
	files := map[string]any{"config.json": r, "result.json": train.Result{TestTop1: 0.8, Epochs: 3}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, v := range files {
		text, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Runs that differ in their seed are one row; recipes of one name that differ are two, and the second is not written over the first.
func TestRunsAlike(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	same := func(*train.Record) {}
	for seed := range uint64(3) {
		if err := keep(finished(t, "run", seed, same)); err != nil {
			t.Fatal(err)
		}
	}
	if err := keep(finished(t, "again", 2, same)); err != nil {
		t.Errorf("a run once more: %v", err)
	}
	for name, change := range map[string]func(*train.Record){
		"another momentum": func(r *train.Record) { r.Recipe.Momentum = 0.5 },
		"another batch":    func(r *train.Record) { r.Recipe.Batch = 7 },
	} {
		if err := keep(finished(t, name, 2, change)); err == nil || !strings.Contains(err.Error(), "name of its own") {
			t.Errorf("%s under the same name: error %v", name, err)
		}
		other := finished(t, name, 9, change)
		if err := keep(other); err != nil {
			t.Fatal(err)
		}
		runs, err := load()
		if err != nil {
			t.Fatal(err)
		}
		if groups := grouped(runs); len(groups) != 2 || len(groups[0].runs)+len(groups[1].runs) != 4 {
			t.Errorf("%s: %d rows", name, len(groups))
		}
		if err := os.Remove(filepath.Join(folder, key(runs[len(runs)-1]).file(9)+".json")); err != nil {
			t.Fatal(err)
		}
	}
}

// The document's tables are those of the runs that lie beside it.
func TestDocument(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	runs, err := load()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	again, err := written(string(text), runs)
	if err != nil {
		t.Fatal(err)
	}
	if again != string(text) {
		t.Errorf("%s: its tables are not those of %s (make results writes them anew)", document, folder)
	}
}

// Means, spreads and intervals are those of a table of Student's distribution: 4.3027 for three seeds. Runs without a partner count in no difference.
func TestFigures(t *testing.T) {
	runsOfTop1 := func(top1 map[uint64]float64) (g runsOf) {
		for seed := range uint64(10) {
			if v, ok := top1[seed]; ok {
				g.runs = append(g.runs, run{train.Record{Config: train.Config{Seed: seed}}, train.Result{TestTop1: v}})
			}
		}
		return g
	}
	a := runsOfTop1(map[uint64]float64{1: 0.71, 2: 0.72, 3: 0.73})
	b := runsOfTop1(map[uint64]float64{1: 0.70, 2: 0.70, 3: 0.70, 4: 0.99})
	if figure, seeds := a.top1(); figure != "72.00 % ± 1.00" || seeds != "1, 2, 3" {
		t.Errorf("%s of seeds %s", figure, seeds)
	}
	if figure, _ := (runsOf{runs: a.runs[:1]}).top1(); figure != "71.00 %" {
		t.Errorf("of one seed: %s", figure)
	}
	top1 := func(r run) float64 { return r.Result.TestTop1 }
	c, ok := compare(a, b, top1)
	if got := c.difference(); !ok || c.seeds != 3 || got != "+2.00 | -0.48 to +4.48" { // 4.3027 / √3 = 2.484
		t.Errorf("difference of %d seeds: %s", c.seeds, got)
	}
	if _, ok := compare(a, runsOf{runs: b.runs[:1]}, top1); ok {
		t.Error("one seed gives an interval")
	}
}
