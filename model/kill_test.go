package model

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// saveLoopEnv makes the test's program store checkpoints in the folder it names until it is killed.
const saveLoopEnv = "MNET_TEST_SAVE_LOOP"

// killsEnv is the number of kills of the tests that kill; they are content with a hundred otherwise.
const killsEnv = "MNET_KILLS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(saveLoopEnv); dir != "" {
		if err := saveLoop(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// saveLoop goes on from the checkpoint "last" in dir, as a training run does, and says on standard output what it has
// stored as soon as Save says so.
func saveLoop(dir string) error {
	step := int64(0)
	switch c, _, err := Load(filepath.Join(dir, "last")); {
	case err == nil:
		step = c.Step
	case !errors.Is(err, ErrCheckpoint):
		return err
	}
	for {
		if _, err := fmt.Println(step); err != nil {
			return err
		}
		step++
		if err := Save(dir, "last", tiny(step)); err != nil {
			return err
		}
	}
}

// A process that stores checkpoints is killed at random moments: each time the newest that Save has returned from, or the
// one it was working on, is there, bit for bit, and the next process goes on from it.
func TestKilledWhileSaving(t *testing.T) {
	kills := 100
	if v := os.Getenv(killsEnv); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(7, 7))
	newest, during, fellBack := int64(0), 0, 0
	for kill := range kills {
		newest = killSaveLoop(t, dir, time.Duration(rng.Int64N(int64(40*time.Millisecond))))
		if _, err := os.Stat(filepath.Join(dir, "last.new")); err == nil {
			during++
		}
		c, note, err := Load(filepath.Join(dir, "last"))
		if err != nil {
			if newest == 0 && errors.Is(err, ErrCheckpoint) {
				continue // killed before the first was stored
			}
			t.Fatalf("kill %d: %v; step %d had been stored", kill, err, newest)
		}
		if note != "" {
			fellBack++
		}
		if c.Step != newest && c.Step != newest+1 {
			t.Fatalf("kill %d: step %d, %d had been stored (%s)", kill, c.Step, newest, note)
		}
		if !equal(c, tiny(c.Step)) {
			t.Fatalf("kill %d: step %d is not as it was saved", kill, c.Step)
		}
		newest = c.Step
	}
	t.Logf("%d kills, %d of them while a checkpoint was being written, %d with a note when loading; %d checkpoints stored", kills, during, fellBack, newest)
	if during < kills/10 {
		t.Errorf("only %d of %d kills came while a checkpoint was being written", during, kills)
	}
}

// killSaveLoop starts a process that stores checkpoints, kills it some time after it has begun, and returns the last step
// that it said was stored.
func killSaveLoop(t *testing.T, dir string, after time.Duration) (step int64) {
	t.Helper()
	var errs bytes.Buffer
	loop := exec.Command(os.Args[0])
	loop.Env = append(os.Environ(), saveLoopEnv+"="+dir)
	loop.Stderr = &errs
	out, err := loop.StdoutPipe()
	if err == nil {
		err = loop.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if kill == nil {
			kill = time.AfterFunc(after, func() { loop.Process.Kill() })
		}
		if step, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Error(err)
		}
	}
	loop.Wait()
	if kill == nil || errs.Len() > 0 {
		t.Fatalf("the process that saves: %q", errs.String())
	}
	return step
}
