package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"mnet-edge/dataset"
	"mnet-edge/model"
)

// A run's folder holds
//
//	config.json    everything the run was asked to do, with versions, data hash and seed
//	checkpoint/    best and last; see package model
//	metrics.csv    one row an epoch
//	curves.png     loss and accuracy over the epochs
//	card.md        what the model is, how good, measured how
//	lock           the process id of whoever works in the folder

const (
	configFile  = "config.json"
	metricsFile = "metrics.csv"
	curvesFile  = "curves.png"
	cardFile    = "card.md"
	lockFile    = "lock"
)

// NextRunDir makes and returns a new folder root/NAME-NNN, numbered one above the highest there is.
func NextRunDir(root, name string) (string, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("train: %w", err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return "", fmt.Errorf("train: %w", err)
	}
	last := 0
	for _, e := range entries {
		if number, ok := strings.CutPrefix(e.Name(), name+"-"); ok {
			if n, err := strconv.Atoi(number); err == nil && n > last {
				last = n
			}
		}
	}
	for { // another process may take the number first
		last++
		dir := filepath.Join(root, fmt.Sprintf("%s-%03d", name, last))
		switch err := os.Mkdir(dir, 0o755); {
		case err == nil:
			return dir, nil
		case !errors.Is(err, fs.ErrExist):
			return "", fmt.Errorf("train: %w", err)
		}
	}
}

// LatestRun returns the folder under root whose checkpoints are the youngest. Without one the error wraps ErrNoRun.
func LatestRun(root string) (string, error) {
	manifests, _ := filepath.Glob(filepath.Join(root, "*", "checkpoint", "*", "manifest.json")) // the pattern is well formed
	latest, when := "", time.Time{}
	for _, path := range manifests {
		if s, err := os.Stat(path); err == nil && (latest == "" || s.ModTime().After(when)) {
			latest, when = filepath.Dir(filepath.Dir(filepath.Dir(path))), s.ModTime()
		}
	}
	if latest == "" {
		return "", fmt.Errorf("train: no checkpoint in any run under %s: %w", root, ErrNoRun)
	}
	return latest, nil
}

// record is config.json.
type record struct {
	Config
	Recipe   Recipe            `json:"recipe"`
	Input    model.Input       `json:"input"`
	Data     dataRecord        `json:"dataset"`
	Backend  string            `json:"backend_used"`
	Started  time.Time         `json:"started"`
	Platform string            `json:"platform"`
	Versions map[string]string `json:"versions"` // Go, this program, and the modules that compute
}

type dataRecord struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of pixels and labels; see dataset.Set
	Note   string `json:"note,omitempty"`
	Train  int    `json:"train"` // images learnt from
	Val    int    `json:"val"`   // images held out of the training set
	Test   int    `json:"test"`
}

// LoadConfig returns the configuration recorded in a run's folder, for resuming it. Without a run there the error
// wraps ErrNoRun.
func LoadConfig(dir string) (Config, error) {
	r, err := loadRecord(dir)
	r.Config.Out = dir
	return r.Config, err
}

func loadRecord(dir string) (r record, err error) {
	text, err := os.ReadFile(filepath.Join(dir, configFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("train: %s: %w", dir, ErrNoRun)
	}
	if err != nil {
		return r, fmt.Errorf("train: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("train: %s: %w: %w", filepath.Join(dir, configFile), err, ErrNoRun)
	}
	return r, nil
}

// matches reports the first field of now that makes it another run than r: one whose weights would not be the same.
func (r record) matches(now record) error {
	for _, f := range []struct {
		name     string
		was, now any
	}{
		{"net", r.Spec, now.Spec},
		{"recipe", r.Recipe, now.Recipe},
		{"seed", r.Seed, now.Seed},
		{"data", r.Data.SHA256, now.Data.SHA256},
		{"number of training images", r.Data.Train, now.Data.Train},
	} {
		if !reflect.DeepEqual(f.was, f.now) {
			return fmt.Errorf("train: %s was begun with another %s: %v, now %v: %w", now.Out, f.name, f.was, f.now, ErrConfig)
		}
	}
	return nil
}

func newRecord(c Config, r Recipe, in model.Input, set *dataset.Set, train, val int, backend string) record {
	rec := record{
		Config: c, Recipe: r, Input: in, Backend: backend, Started: time.Now().UTC().Truncate(time.Second),
		Data:     dataRecord{set.Name, set.SHA256, set.Lossy, train, val, set.Test.N},
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Versions: map[string]string{"go": runtime.Version()},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		rec.Versions[info.Main.Path] = info.Main.Version
		for _, m := range info.Deps {
			if strings.HasPrefix(m.Path, "github.com/gomlx/") {
				rec.Versions[m.Path] = m.Version
			}
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
				rec.Versions[s.Key] = s.Value
			}
		}
	}
	return rec
}

func (r record) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("train: %s: %w", configFile, err)
	}
	return writeFile(dir, configFile, append(text, '\n'))
}

// writeFile replaces a file of the run's folder whole or not at all.
func writeFile(dir, name string, data []byte) error {
	if err := renameio.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		return fmt.Errorf("train: writing %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}

// lockFolder keeps other processes out of the run's folder until unlock is called, or this process ends however it does.
func lockFolder(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, lockFile)
	l := flock.New(path)
	got, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("train: locking %s: %w", path, err)
	}
	if !got {
		holder := "another process"
		if pid, err := os.ReadFile(path); err == nil && len(pid) > 0 {
			holder = "process " + strings.TrimSpace(string(pid))
		}
		return nil, fmt.Errorf("train: %s is being worked in by %s: %w", dir, holder, ErrBusy)
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		l.Close()
		return nil, fmt.Errorf("train: %w", err)
	}
	return func() { l.Close() }, nil
}
