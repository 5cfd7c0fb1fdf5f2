package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// A stored checkpoint is a folder:
//
//	weights.safetensors     the parameters, with the source's names and PyTorch's layouts
//	optimizer.safetensors   the optimizer's state, where there is one
//	manifest.json           everything else, with size and sha256 of the files above and of itself
//
// It is written as NAME.new, then the one before is renamed NAME.old and NAME.new becomes NAME. Since a folder counts only
// when its manifest checks, and the manifest is written last, there is at every moment a whole checkpoint under one of the
// three names once the first has been written, and where NAME.new is whole it is the newest.

// ErrCheckpoint says that there is no checkpoint to use: none there, damaged, or of another format.
var ErrCheckpoint = errors.New("checkpoint refused")

const (
	formatName    = "mnet-edge checkpoint"
	formatVersion = 1

	weightsFile   = "weights.safetensors"
	optimizerFile = "optimizer.safetensors"
	manifestFile  = "manifest.json"

	maxManifest = 16 << 20 // bytes
)

type manifest struct {
	Format  string                 `json:"format"`
	Version int                    `json:"version"`
	Spec    Spec                   `json:"spec"`
	Input   Input                  `json:"input"`
	Labels  []string               `json:"labels"`
	Ranges  map[string]Range       `json:"ranges,omitempty"`
	Step    int64                  `json:"step"`
	Epoch   int                    `json:"epoch"`
	Metrics map[string]float64     `json:"metrics"`
	State   map[string]string      `json:"state"`
	Files   map[string]fingerprint `json:"files"`
	SHA256  string                 `json:"sha256"` // of this file with this field empty
}

type fingerprint struct {
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Save stores c as folder name in dir, which is made where it is missing. It is stored whole or not at all: whatever
// stops Save, and whenever, Load finds c or the checkpoint stored before it. An error names the file it happened at.
func Save(dir, name string, c *Checkpoint) error { return SaveOn(OSFiles{}, dir, name, c) }

// SaveOn is Save on another file system.
func SaveOn(f Files, dir, name string, c *Checkpoint) (err error) {
	if err := c.Check(); err != nil {
		return fmt.Errorf("%w: %w", err, ErrCheckpoint)
	}
	if err := errors.Join(c.Weights.Finite(), c.Optimizer.Finite()); err != nil {
		return fmt.Errorf("%w: %w", err, ErrCheckpoint)
	}
	if err := c.text(); err != nil {
		return fmt.Errorf("model: %w: %w", err, ErrCheckpoint)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("model: saving checkpoint: %w", err)
		}
	}()
	at := filepath.Join(dir, name)
	if err := f.MkdirAll(dir); err != nil {
		return err
	}
	if err := settle(f, at); err != nil {
		return err
	}
	if err := writeFolder(f, at+".new", c); err != nil {
		f.RemoveAll(at + ".new") // gives a full disk its room back
		return err
	}
	return swap(f, at)
}

// text reports a string that is no UTF-8: JSON would store another one.
func (c *Checkpoint) text() error {
	for _, label := range c.Labels {
		if !utf8.ValidString(label) {
			return fmt.Errorf("label %q is not UTF-8", label)
		}
	}
	for key, value := range c.State {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fmt.Errorf("state %q is not UTF-8", key)
		}
	}
	return nil
}

// settle finishes or clears away what an interrupted Save left, so that a whole NAME.new is not lost to the next one.
func settle(f Files, at string) error {
	if _, err := os.Lstat(at + ".new"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := loadFolder(at + ".new"); err == nil {
		return swap(f, at)
	}
	return f.RemoveAll(at + ".new")
}

// swap puts a whole NAME.new in NAME's place and keeps what was there as NAME.old.
func swap(f Files, at string) error {
	if _, err := os.Lstat(at); err == nil {
		if err := f.RemoveAll(at + ".old"); err != nil {
			return err
		}
		if err := f.Rename(at, at+".old"); err != nil {
			return err
		}
	}
	if err := f.Rename(at+".new", at); err != nil {
		return err
	}
	return f.SyncDir(filepath.Dir(at))
}

// writeFolder writes c's files into a new folder and sees them to the disk, the manifest last.
func writeFolder(f Files, dir string, c *Checkpoint) error {
	if err := f.MkdirAll(dir); err != nil {
		return err
	}
	m := manifest{
		Format: formatName, Version: formatVersion, Spec: c.Spec, Input: c.Input, Labels: c.Labels, Ranges: c.Ranges,
		Step: c.Step, Epoch: c.Epoch, Metrics: c.Metrics, State: c.State, Files: map[string]fingerprint{},
	}
	parts := map[string]Weights{weightsFile: c.Weights}
	if c.Optimizer != nil {
		parts[optimizerFile] = c.Optimizer
	}
	for name, ws := range parts {
		var b bytes.Buffer
		if err := writeSafetensors(&b, ws); err != nil {
			return err
		}
		if err := createFile(f, filepath.Join(dir, name), b.Bytes()); err != nil {
			return err
		}
		m.Files[name] = fingerprintOf(b.Bytes())
	}
	text, err := m.encode()
	if err != nil {
		return err
	}
	if err := createFile(f, filepath.Join(dir, manifestFile), text); err != nil {
		return err
	}
	if err := f.SyncDir(dir); err != nil {
		return err
	}
	return f.SyncDir(filepath.Dir(dir))
}

func fingerprintOf(data []byte) fingerprint {
	sum := sha256.Sum256(data)
	return fingerprint{int64(len(data)), hex.EncodeToString(sum[:])}
}

// encode returns the manifest's one text form, with its own sha256 filled in.
func (m manifest) encode() ([]byte, error) {
	m.SHA256 = ""
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	m.SHA256 = fingerprintOf(text).SHA256
	text, err = json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

// Load reads the checkpoint at path: a checkpoint's folder as Save was given it, or a run's folder, of which it takes
// checkpoint/best, else checkpoint/last. When that one is damaged or was being replaced, the newest whole one beside it
// serves and note says so in one line. Where there is none the error wraps ErrCheckpoint.
func Load(path string) (c *Checkpoint, note string, err error) {
	path = filepath.Clean(path) // a slash at its end would make names of its own of .new and .old
	var refused error           // the first refusal, which the note then gives as its reason
	for _, at := range []string{filepath.Join(path, "checkpoint", "best"), filepath.Join(path, "checkpoint", "last"), path} {
		// NAME.new first: where it is whole it is the newest. Content moves from .new to NAME to .old, and looking
		// in the same direction finds a whole one even while another process saves.
		for _, suffix := range []string{".new", "", ".old"} {
			c, err := loadFolder(at + suffix)
			switch {
			case err == nil && refused != nil:
				return c, fmt.Sprintf("%v; using %s, step %d", refused, at+suffix, c.Step), nil
			case err == nil && suffix != "":
				return c, fmt.Sprintf("%s was being replaced; using %s, step %d", at, at+suffix, c.Step), nil
			case err == nil:
				return c, "", nil
			case errors.Is(err, fs.ErrNotExist):
				if suffix == "" && refused == nil && at != path && isFolder(at) {
					refused = fmt.Errorf("model: %s has no %s: %w", at, manifestFile, ErrCheckpoint)
				}
			case suffix != ".new" && refused == nil: // one half written is no loss worth reporting
				refused = err
			}
		}
	}
	if refused != nil {
		return nil, "", refused
	}
	return nil, "", fmt.Errorf("model: no checkpoint at %s: %w", path, ErrCheckpoint)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// loadFolder reads one folder. Its error wraps fs.ErrNotExist when there is no manifest, ErrCheckpoint when what
// is there does not check, and is the file system's own otherwise.
func loadFolder(dir string) (*Checkpoint, error) {
	refuse := func(err error) (*Checkpoint, error) {
		if !errors.Is(err, ErrCheckpoint) {
			err = fmt.Errorf("%w: %w", err, ErrCheckpoint)
		}
		return nil, fmt.Errorf("model: %s: %w", dir, err)
	}
	text, err := readFile(filepath.Join(dir, manifestFile), maxManifest)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	m, err := decodeManifest(text)
	if err != nil {
		return refuse(err)
	}
	c := &Checkpoint{Spec: m.Spec, Input: m.Input, Labels: m.Labels, Ranges: m.Ranges, Step: m.Step, Epoch: m.Epoch, Metrics: m.Metrics, State: m.State}
	// No file is read that is longer than the spec's parameters allow, whatever the manifest says of it.
	limit := 8*int64(m.Spec.Counts().Total) + maxHeader
	for name, want := range m.Files {
		data, err := readFile(filepath.Join(dir, name), limit)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return refuse(fmt.Errorf("%s is missing", name))
		case errors.Is(err, ErrCheckpoint):
			return refuse(err)
		case err != nil:
			return nil, fmt.Errorf("model: %w", err)
		}
		if got := fingerprintOf(data); got != want {
			return refuse(fmt.Errorf("%s: %d bytes with sha256 %.12s, the manifest says %d with %.12s", name, got.Size, got.SHA256, want.Size, want.SHA256))
		}
		ws, err := readSafetensors(data)
		if err != nil {
			return refuse(fmt.Errorf("%s: %w", name, err))
		}
		if name == weightsFile {
			c.Weights = ws
		} else {
			c.Optimizer = ws
		}
	}
	if err := c.Check(); err != nil {
		return refuse(err)
	}
	if err := errors.Join(c.Weights.Finite(), c.Optimizer.Finite()); err != nil {
		return refuse(err)
	}
	return c, nil
}

// decodeManifest accepts exactly what encode writes, so that no damaged byte of it goes unseen.
func decodeManifest(text []byte) (m manifest, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestFile, err)
	}
	if m.Format != formatName || m.Version != formatVersion {
		return m, fmt.Errorf("%s: format %q version %d, want %q version %d", manifestFile, m.Format, m.Version, formatName, formatVersion)
	}
	again, err := m.encode()
	if err != nil || !bytes.Equal(text, again) {
		return m, fmt.Errorf("%s: does not match its own sha256", manifestFile)
	}
	if err := m.Spec.Check(); err != nil {
		return m, err
	}
	if _, ok := m.Files[weightsFile]; !ok {
		return m, fmt.Errorf("%s: no %s", manifestFile, weightsFile)
	}
	for name := range m.Files {
		if name != weightsFile && name != optimizerFile {
			return m, fmt.Errorf("%s: unknown file %q", manifestFile, name)
		}
	}
	return m, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	s, err := os.Stat(path) // before Open, which would wait at a pipe
	if err != nil {
		return nil, err
	}
	if !s.Mode().IsRegular() || s.Size() > limit {
		return nil, fmt.Errorf("%s: mode %v, %d bytes: want a file of at most %d: %w", path, s.Mode(), s.Size(), limit, ErrCheckpoint)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
