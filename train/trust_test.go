package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"mnet-edge/model"
)

// A run may come from anyone, and names no code to load.
func TestRecordedPlugin(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(`{"plugin": "/a/strangers.so", "Plugin": "/another.so", "seed": 7}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := LoadConfig(dir); err != nil || c.Plugin != "" || c.Seed != 7 {
		t.Errorf("plugin %q, seed %d, error %v", c.Plugin, c.Seed, err)
	}
}

// A folder with a run in it is none to begin another in, whatever state its files are in, and a checkpoint of another run none to go on from.
func TestRunInDamagedFolder(t *testing.T) {
	set := patterns(60, 8)
	begun := tinyConfig(t)
	interrupt(t, begun, set)
	config := filepath.Join(begun.Out, configFile)
	for name, damage := range map[string]func() error{
		"damaged config": func() error { return os.WriteFile(config, []byte("{"), 0o644) },
		"no config":      func() error { return os.Remove(config) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		c := tinyConfig(t)
		c.Out = begun.Out
		if _, err := Run(context.Background(), c, set); !errors.Is(err, ErrExists) {
			t.Errorf("%s: error %v, want ErrExists", name, err)
		}
	}

	for key, other := range map[string]string{"seed": "2", "data_sha256": strings.Repeat("0", 64)} {
		c := tinyConfig(t)
		interrupt(t, c, set)
		reload(t, c, func(k *model.Checkpoint) { k.State[key] = other })
		c.Resume = true
		if _, err := Run(context.Background(), c, set); !errors.Is(err, model.ErrCheckpoint) || !strings.Contains(err.Error(), key) {
			t.Errorf("checkpoint of another %s: error %v", key, err)
		}
	}
}

// A process that was killed left its number behind: it is not who holds the lock now.
func TestLockHolderKilled(t *testing.T) {
	dir := t.TempDir()
	l := flock.New(filepath.Join(dir, lockFile))
	if ok, err := l.TryLock(); err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer l.Close()
	const nobody = "2147483646" // beyond what any system numbers its processes with
	if err := os.WriteFile(filepath.Join(dir, holderFile), []byte(nobody+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); !errors.Is(err, ErrBusy) || strings.Contains(err.Error(), nobody) {
		t.Errorf("%v", err)
	}
}

// A run that goes on with another backend trains on that one as a run of its own does, and its result names both.
func TestResumedOnAnotherBackend(t *testing.T) {
	if _, err := FindPlugin(BackendXLA); err != nil {
		t.Skip("no XLA to go on with: ", err)
	}
	set, c := patterns(60, 8), tinyConfig(t)
	c.Backend = BackendGo
	interrupt(t, c, set)
	c.Backend, c.Resume = BackendXLA, true
	c.Progress = func(p Progress) {
		if p.Phase == PhaseTrain && p.Backend != onCPU {
			t.Errorf("%v on %q", p.Phase, p.Backend)
		}
	}
	res, err := Run(context.Background(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	want := BackendGo + ", then " + onCPU
	if res.Backend != want {
		t.Errorf("on %q, want %q", res.Backend, want)
	}
	if r, err := LoadRecord(c.Out); err != nil || r.BackendUsed != want {
		t.Errorf("the record has %q, %v", r.BackendUsed, err)
	}
}
