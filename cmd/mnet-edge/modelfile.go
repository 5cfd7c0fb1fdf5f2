package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"mnet-edge/builtin"
)

// modelPath is --model; without it the newest model that convert wrote below runs, an int8 one before any other (newestModel), and where
// there is none the one that this binary carries.
func modelPath(c *cli.Context) string {
	if path := c.String("model"); path != "" {
		return path
	}
	path := newestModel()
	if path == "" {
		path = builtin.Name
		say(c, "no --model given and none below %s: using the model built in (mnet-edge inspect %s)", runsFolder, builtin.Name)
	} else {
		say(c, "no --model given: using %s", path)
	}
	return path
}

// readModel reads a model: the built-in one by its name, or a file, which must be a regular one of at most 2 GB.
func readModel(path string) ([]byte, error) {
	if path == builtin.Name {
		return builtin.Model, nil
	}
	b, err := readFile(path, 1<<31-1, "2 GB")
	if errors.Is(err, fs.ErrNotExist) {
		err = withHint(err, "mnet-edge convert --int8 writes a model of a run; --model %s is the one built in", builtin.Name)
	}
	return b, err
}

// readFile reads a regular file of at most so many bytes, which are called limit. A pipe would be waited for, and a device
// has no end.
func readFile(path string, most int64, limit string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, refuse(err)
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, refuse(fmt.Errorf("%s: not a regular file of at most %s", path, limit))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, refuse(err)
	}
	return b, nil
}
