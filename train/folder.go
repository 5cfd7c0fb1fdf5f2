package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"mnet-edge/devices"
	"mnet-edge/model"
)

// A run's folder holds
//
//	config.json    everything the run was asked to do, with versions, data hash and seed
//	checkpoint/    best and last; see package model
//	metrics.csv    one row an epoch
//	curves.png     loss and accuracy over the epochs
//	events.out.*   the same for TensorBoard; see events.go
//	confusion.png  which classes the test images were taken for; from the end of the run on, like
//	card.md        what the model is, how good, measured how, and
//	result.json    the same figures for a program
//	lock           locked by whoever works in the folder; its process id is in lock.pid
//
// Every file is replaced whole, but for the one TensorBoard may be reading, which grows.

const (
	configFile    = "config.json"
	metricsFile   = "metrics.csv"
	curvesFile    = "curves.png"
	confusionFile = "confusion.png"
	cardFile      = "card.md"
	resultFile    = "result.json"
	lockFile      = "lock"
	holderFile    = "lock.pid"
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
	return youngest("no checkpoint in any run", root, filepath.Join("checkpoint", "*", "manifest.json"))
}

// LatestBegun returns the folder under root of the run that began or stored a checkpoint last: one that was killed before its first is
// among them. Without one the error wraps ErrNoRun.
func LatestBegun(root string) (string, error) {
	return youngest("no run", root, configFile, filepath.Join("checkpoint", "*", "manifest.json"))
}

// youngest is the folder under root that has the youngest file of one of the patterns; none is what is said without.
func youngest(none, root string, patterns ...string) (dir string, err error) {
	var when time.Time
	for _, p := range patterns {
		files, _ := filepath.Glob(filepath.Join(root, "*", p)) // the patterns are well formed
		for _, path := range files {
			if s, err := os.Stat(path); err == nil && (dir == "" || s.ModTime().After(when)) {
				inside, _ := filepath.Rel(root, path)
				dir, when = filepath.Join(root, strings.Split(filepath.ToSlash(inside), "/")[0]), s.ModTime()
			}
		}
	}
	if dir == "" {
		return "", fmt.Errorf("train: %s under %s: %w", none, root, ErrNoRun)
	}
	return dir, nil
}

// Record is config.json: what a run was asked to do, what it found there, and with what it works.
type Record struct {
	Config
	Recipe      Recipe            `json:"recipe"`
	Input       model.Input       `json:"input"`
	Dataset     DataRecord        `json:"dataset"`
	TaughtBy    []NetRecord       `json:"taught_by,omitempty"`  // Config.Teachers, as they were found
	BegunWith   *NetRecord        `json:"begun_with,omitempty"` // Config.From, likewise
	BackendUsed string            `json:"backend_used"`
	Device      string            `json:"backend_description"` // as the backend has it, with its version, and a GPU
	Started     time.Time         `json:"started"`
	Platform    string            `json:"platform"`
	CPU         string            `json:"cpu,omitempty"`
	CPUs        int               `json:"cpus"`     // that this process may run on
	Versions    map[string]string `json:"versions"` // Go, this program, and the modules that compute
}

// DataRecord is the data of a run, in images.
type DataRecord struct {
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
	r, err := LoadRecord(dir)
	r.Config.Out = dir
	return r.Config, err
}

// LoadRecord returns all that config.json in a run's folder says. Without a run there the error wraps ErrNoRun.
func LoadRecord(dir string) (r Record, err error) {
	const most = 1 << 20
	path := filepath.Join(dir, configFile)
	if s, err := os.Stat(path); err == nil && (!s.Mode().IsRegular() || s.Size() > most) { // a run may come from anyone
		return r, fmt.Errorf("train: %s: not a file of at most %d bytes: %w", path, most, ErrNoRun)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("train: %s: %w: %w", dir, fs.ErrNotExist, ErrNoRun)
	}
	if err != nil {
		return r, fmt.Errorf("train: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("train: %s: %w: %w", filepath.Join(dir, configFile), err, ErrNoRun)
	}
	return r, nil
}

// matches reports the first field of now that makes it another run than r: one whose weights would not be the same. What teaches the two is
// taughtAlike's to say.
func (r *Record) matches(now Record) error {
	for _, f := range []struct {
		name     string
		was, now any
	}{
		{"net", r.Spec, now.Spec},
		{"recipe", r.Recipe, now.Recipe},
		{"seed", r.Seed, now.Seed},
		{"data", r.Dataset.SHA256, now.Dataset.SHA256},
		{"number of training images", r.Dataset.Train, now.Dataset.Train},
		{"network to begin with", r.From + r.QAT, now.From + now.QAT}, // by name: a run that has weights of its own does not open it
		{"network to begin with", r.BegunWith.weights(), now.BegunWith.weights()},
	} {
		if err := now.alike(f.name, f.was, f.now); err != nil {
			return err
		}
	}
	return nil
}

// Machine says on what the run was trained: "AMD EPYC, 2 processors, linux/amd64".
func (r *Record) Machine() string {
	machine := fmt.Sprintf("%d processors, %s", r.CPUs, r.Platform)
	if r.CPU != "" { // older runs do not say
		machine = r.CPU + ", " + machine
	}
	return machine
}

// moved says which part of the program that r was begun with is another one now, or the processor; nothing where none is. What r does not say is not compared.
func (r *Record) moved(now Record) string {
	for _, part := range slices.Sorted(maps.Keys(r.Versions)) {
		if was, is := r.Versions[part], now.Versions[part]; was != is {
			return fmt.Sprintf("begun with %s %s, going on with %s", part, was, cmp.Or(is, "one that is not known"))
		}
	}
	if r.CPU != "" && r.CPU != now.CPU {
		return fmt.Sprintf("begun on %s, going on with %s", r.CPU, now.CPU)
	}
	return ""
}

// taughtAlike reports that now has other teachers than r.
func (r *Record) taughtAlike(now Record) error {
	return now.alike("teacher", weightsOf(r.TaughtBy), weightsOf(now.TaughtBy))
}

func (r *Record) alike(name string, was, now any) error {
	if !reflect.DeepEqual(was, now) {
		return fmt.Errorf("train: %s was begun with another %s: %v, now %v: %w", r.Out, name, was, now, ErrConfig)
	}
	return nil
}

// newRecord is that of this run, as far as it is known before there is a backend.
func (r *run) newRecord() Record {
	rec := Record{
		Config: r.c, Recipe: r.recipe, Input: r.input, Started: time.Now().UTC().Truncate(time.Second),
		Dataset:  DataRecord{r.set.Name, r.set.SHA256, r.set.Lossy, r.train.N, r.val.N, r.set.Test.N},
		Platform: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Versions: map[string]string{"go": runtime.Version()},
	}
	if host, err := devices.Probe(context.Background()); err == nil { // a run does not depend on it
		rec.CPU = host.CPU
	}
	if before := cmp.Or(r.from, r.trained); before != nil {
		from := netRecord(before)
		rec.BegunWith = &from
	} else if r.last != nil {
		rec.BegunWith = r.old.BegunWith
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

// write stores the record as config.json of its run's folder.
func (r Record) write() error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("train: %s: %w", configFile, err)
	}
	return r.writeFile(configFile, append(text, '\n'))
}

// follow stores what a run that goes on works with now, where the one it goes on with has it otherwise, beside what that was asked to do.
func (r Record) follow(old *Record) error {
	if r.BackendUsed == old.BackendUsed {
		return nil
	}
	stored := *old
	stored.BackendUsed, stored.Device, stored.Out, stored.files = r.BackendUsed, r.Device, r.Out, r.files
	return stored.write()
}

// writeFile replaces a file of the run's folder whole or not at all.
func (c Config) writeFile(name string, data []byte) error {
	if err := model.WriteFile(c.files, filepath.Join(c.Out, name), data); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// lockFolder keeps other processes out of the run's folder until unlock is called, or this process ends however it does. Who holds the lock
// stands in a file of its own: on Windows nobody, the holder neither, can open one that is locked a second time.
func lockFolder(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, lockFile)
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
	got, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("train: locking %s: %w", path, err)
	}
	if !got {
		return nil, fmt.Errorf("train: %s is being worked in by %s: %w", dir, lockHolder(dir), ErrBusy)
	}
	holder := filepath.Join(dir, holderFile)
	if err := os.WriteFile(holder, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		l.Close()
		return nil, fmt.Errorf("train: %w", err)
	}
	return func() {
		os.Truncate(holder, 0) // who comes next must not find this process's number
		l.Close()
	}, nil
}

// lockHolder says who holds the lock. The number comes a moment after the lock, so it is waited for. Until then the file may still have the number of
// a process that was killed.
func lockHolder(dir string) string {
	for range 20 {
		if text, err := os.ReadFile(filepath.Join(dir, holderFile)); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && alive(pid) {
				return fmt.Sprintf("process %d", pid)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return "another process"
}

// alive says whether there is a process of that number.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
