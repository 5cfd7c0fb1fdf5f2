package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/model"
	"mnet-edge/train"
)

// runsFolder is where runs lie, below the working folder.
const runsFolder = "runs"

// newestRun is the run folder that has the newest checkpoint.
func newestRun() (string, error) {
	run, err := train.LatestRun(runsFolder)
	if err != nil {
		return "", withHint(refuse(fmt.Errorf("there is no run in %s yet", runsFolder)), "mnet-edge train")
	}
	return run, nil
}

// newestModel is the model that convert wrote last into a run folder, "" where there is none. The newest int8 model goes
// before any float one: it is what the tool is for.
func newestModel() string {
	pattern := filepath.Join(runsFolder, "*", "*.tflite")
	models, _ := filepath.Glob(pattern) // the only error is a bad pattern
	models = visible(models, pattern)
	var newest string
	var at time.Time
	for _, m := range models {
		info, err := os.Stat(m)
		if err != nil {
			continue
		}
		preferred := strings.Contains(filepath.Base(m), "int8") && !strings.Contains(filepath.Base(newest), "int8")
		demoted := strings.Contains(filepath.Base(newest), "int8") && !strings.Contains(filepath.Base(m), "int8")
		if newest == "" || preferred || !demoted && info.ModTime().After(at) {
			newest, at = m, info.ModTime()
		}
	}
	return newest
}

// dataFlag names the images to work on.
func dataFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "data", Usage: usage + ": `DATA` is cifar10, fashion-mini, or a folder, .zip or .tar.gz of SPLIT/CLASS/images, of CIFAR-10's binary files or of IDX files"}
}

// loadCheckpoint reads a run's or a folder's checkpoint; whatever is wrong with it is input refused.
func loadCheckpoint(c *cli.Context, path string) (*model.Checkpoint, error) {
	checkpoint, note, err := model.Load(path)
	if err != nil {
		if !errors.Is(err, model.ErrCheckpoint) {
			err = fmt.Errorf("%w: %w", model.ErrCheckpoint, err)
		}
		return nil, err
	}
	if note != "" {
		say(c, "note: %s", note)
	}
	return checkpoint, nil
}
