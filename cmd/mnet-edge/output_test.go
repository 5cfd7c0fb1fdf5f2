package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
)

// fullDisk takes so many bytes.
type fullDisk int

func (d *fullDisk) Write(b []byte) (int, error) {
	if *d -= fullDisk(len(b)); *d < 0 {
		return 0, syscall.ENOSPC
	}
	return len(b), nil
}

// What a command prints is its result: where it cannot be printed, the command has failed, whatever its form.
func TestOutputLost(t *testing.T) {
	for _, args := range [][]string{
		{"inspect", "D"}, {"inspect", "D", "--json"}, {"inspect", "builtin"}, {"infer", "--help"},
	} {
		disk, said := fullDisk(100), new(bytes.Buffer)
		if code := run(append([]string{"mnet-edge"}, args...), strings.NewReader(""), &disk, said); code != exitIO {
			t.Errorf("%v: exit code %d, want %d; %s", args, code, exitIO, said)
		}
	}
}

// Standard input that nobody writes to is waited for until an interrupt.
func TestReadPictureInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	stdin, writer := io.Pipe()
	defer writer.Close()
	cancel()
	if _, err := readPicture(ctx, stdinName, stdin); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the interrupt", err)
	}
}

// A bar's text has as many of its parts as there is room for.
func TestFirstOf(t *testing.T) {
	parts := []string{"epoch 1/30", "left 5s", "loss 0.3 ±1"}
	for columns, want := range map[int]string{100: "epoch 1/30  left 5s  loss 0.3 ±1", 32: "epoch 1/30  left 5s  loss 0.3 ±1", 31: "epoch 1/30  left 5s", 18: "epoch 1/30", 3: "", -5: ""} {
		if got := firstOf(parts, columns); got != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

func TestWord(t *testing.T) {
	for name, want := range map[string]string{
		"runs/D-w0.5-001": "runs/D-w0.5-001", "my run": "'my run'", "it's": `'it'"'"'s'`, "größe.tflite": "größe.tflite", "$HOME": "'$HOME'",
	} {
		if got := word(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
