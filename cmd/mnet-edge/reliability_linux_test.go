package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mnet-edge/model"
	"mnet-edge/model/modeltest"
	"mnet-edge/train"
)

// disk mounts a file system in memory of size KiB for the length of the test.
func disk(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", size)); err != nil {
		t.Skipf("mounting a file system is not permitted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func remount(t *testing.T, dir string, size int, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, fmt.Sprintf("size=%dk", size)); err != nil {
		t.Fatal(err)
	}
}

// On disks of any size a run either ends, or says which file did not fit and can be gone on with once there is room.
func TestFullDisk(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	mustRun(t, short(whole, 2)...)
	for size, fits := 24, false; !fits; size += 84 {
		dir := disk(t, size)
		run := filepath.Join(dir, "run")
		code, stderr := start(t, short(run, 2)...).end()
		if code == exitOK {
			fits = true
		} else if code != exitIO || !strings.Contains(stderr, "no space left") || !strings.Contains(stderr[strings.LastIndex(stderr, "mnet-edge: "):], run) {
			t.Errorf("disk of %d KiB: exit %d\n%s", size, code, stderr)
		}
		if strings.Contains(stderr, "epoch 1/") {
			modeltest.LoadLast(t, run)
		}
		remount(t, dir, 1<<20, 0)
		again := short(run, 2)
		if _, err := train.LoadConfig(run); err == nil {
			again = resume(run)
		}
		mustRun(t, again...)
		modeltest.SameWeights(t, fmt.Sprintf("disk of %d KiB", size), run, whole)
		t.Logf("disk of %d KiB: exit %d", size, code)
	}
}

// In a folder that has become read-only nothing changes, and the message names a file of it.
func TestReadOnlyFolder(t *testing.T) {
	dir := disk(t, 1<<20)
	run := filepath.Join(dir, "run")
	mustRun(t, short(run, 1)...)
	before, _, err := model.Load(run)
	if err != nil {
		t.Fatal(err)
	}
	remount(t, dir, 1<<20, syscall.MS_RDONLY)
	for _, args := range [][]string{resume(run), short(filepath.Join(dir, "another"), 1), {"convert", "--float32", run}} {
		code, stderr := start(t, args...).end()
		last := stderr[max(0, strings.LastIndex(stderr, "mnet-edge: ")):]
		if code != exitIO || !strings.Contains(last, dir) || strings.Contains(last, "\n") {
			t.Errorf("%v: exit %d\n%s", args, code, stderr)
		}
	}
	after, note, err := model.Load(run)
	if err != nil || note != "" || after.Step != before.Step {
		t.Errorf("afterwards: note %q, error %v", note, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "another")); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
}
