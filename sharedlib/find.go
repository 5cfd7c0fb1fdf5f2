package sharedlib

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
)

// Find returns the path of the library whose file is called name: in the executable's folder or its lib subfolder, else
// in native/<os>-<arch> of that folder or one above it, which is where a source tree keeps it. The error wraps
// fs.ErrNotExist and says where it looked.
//
// What lies around the working folder is no place to take code from, since a program may be run in a folder that a stranger made. The
// exception is a program that go run and go test make, which has no folder of its own.
func Find(name string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("sharedlib: %w", err)
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	working, err := os.Getwd()
	if err != nil {
		working = ""
	}
	for _, dir := range dirs(filepath.Dir(exe), working) {
		path := filepath.Join(dir, name)
		if s, err := os.Stat(path); err == nil && s.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", missing(fmt.Sprintf("no %s beside the program, in its lib folder or in native/%s-%s", name, runtime.GOOS, runtime.GOARCH))
}

// FindInSystem is Find, and looks after that where the system's loader would look for a library that is installed.
func FindInSystem(name string) (string, error) {
	path, err := Find(name)
	if err == nil {
		return path, nil
	}
	dirs := slices.DeleteFunc(filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")), func(dir string) bool {
		return !filepath.IsAbs(dir) // the working folder, or below it
	})
	for _, root := range []string{"/usr/local/lib", "/usr/lib", "/lib", "/usr/local/lib64", "/usr/lib64", "/lib64"} {
		dirs = append(dirs, root)
		if triplet := triplets[runtime.GOARCH]; triplet != "" {
			dirs = append(dirs, filepath.Join(root, triplet))
		}
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if s, err := os.Stat(path); err == nil && s.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", missing(fmt.Sprintf("no %s beside the program or in the system's library folders", name))
}

// triplets are Debian's names for the folders of an architecture's libraries.
var triplets = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

// missing is fs.ErrNotExist in words of its own.
type missing string

func (m missing) Error() string { return string(m) }
func (missing) Unwrap() error   { return fs.ErrNotExist }

// builtToRun matches go's folders for what it builds to run at once: a temporary one, and the one in its cache that go run has from the
// second time on.
var builtToRun = regexp.MustCompile(`/go-build[0-9]+/|/[0-9a-f]{2}/[0-9a-f]{64}-d$`)

// dirs are those that Find looks in, for an executable in folder home that runs in the folder working, "" if nobody knows.
func dirs(home, working string) []string {
	found, tree := []string{home, filepath.Join(home, "lib")}, home
	if builtToRun.MatchString(filepath.ToSlash(home)) && working != "" {
		tree = working
	}
	for dir, up := "", tree; up != dir; up = filepath.Dir(dir) {
		dir = up
		found = append(found, filepath.Join(dir, "native", runtime.GOOS+"-"+runtime.GOARCH))
	}
	return found
}

// ErrUseless marks a file that is no library this program can load: of another format, for another machine, without a
// function it should have.
var ErrUseless = errors.New("not a library for this program")
