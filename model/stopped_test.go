package model_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mnet-edge/model"
	"mnet-edge/model/modeltest"
)

// Whatever operation of a Save is the last, Load finds the checkpoint saved or the one before, whole, and the next Save
// goes through and loses nothing meanwhile.
func TestSaveStoppedAnywhere(t *testing.T) {
	full := errors.New("no space left")
	for _, then := range []modeltest.Then{modeltest.Killed, modeltest.Full} {
		stops := 0
		for n := 0; ; n++ {
			dir := t.TempDir()
			for step := range int64(2) {
				if err := model.Save(dir, "last", model.Tiny(step)); err != nil {
					t.Fatal(err)
				}
			}
			newest := int64(1)
			check := func(when string, saved int64) {
				t.Helper()
				got, note, err := model.Load(filepath.Join(dir, "last"))
				switch {
				case err != nil:
					t.Fatalf("%s, stop %d, %s: %v", then, n, when, err)
				case got.Step < newest || got.Step > saved:
					t.Fatalf("%s, stop %d, %s: step %d, want %d to %d (%s)", then, n, when, got.Step, newest, saved, note)
				case !reflect.DeepEqual(got, model.Tiny(got.Step)):
					t.Fatalf("%s, stop %d, %s: step %d is not as saved", then, n, when, got.Step)
				}
				newest = got.Step
			}
			err := model.SaveOn(&modeltest.Files{N: n + 1, Then: then, Err: full}, dir, "last", model.Tiny(2))
			check("after the stop", 2)
			if err == nil {
				break
			}
			stops++
			if !errors.Is(err, full) {
				t.Fatalf("%s, stop %d: error %v hides its cause", then, n, err)
			}
			if _, err := os.Stat(filepath.Join(dir, "last.new")); then == modeltest.Full && newest == 1 && err == nil {
				if _, err := model.LoadFolder(filepath.Join(dir, "last.new")); err != nil {
					t.Errorf("stop %d leaves a broken last.new on a full disk", n)
				}
			}
			// A second stop, at any place of the Save that clears up after the first.
			for m := range n + 4 {
				if model.SaveOn(&modeltest.Files{N: m + 1, Then: then, Err: full}, dir, "last", model.Tiny(3)) == nil {
					break
				}
				check(fmt.Sprintf("after a second stop at %d", m), 3)
			}
			if err := model.Save(dir, "last", model.Tiny(4)); err != nil {
				t.Fatalf("%s, stop %d: next Save: %v", then, n, err)
			}
			check("after the next Save", 4)
			if newest != 4 {
				t.Errorf("%s, stop %d: next Save stored step %d", then, n, newest)
			}
		}
		if stops < 15 {
			t.Errorf("%s: only %d places to stop at", then, stops)
		}
	}
}
