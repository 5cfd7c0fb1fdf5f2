//go:build unix

package main

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mnet-edge/infer"
)

// A child that ends by force, panics or never ends is the model's fault; one that refuses the model has said its word.
func TestSurvived(t *testing.T) {
	for _, c := range []struct {
		script  string
		refused bool
	}{
		{"exit 0", false},
		{"exit 3", false},
		{"kill -SEGV $$", true},
		{"kill -ABRT $$", true},
		{"exit 2", true}, // a panic of Go
		{"exit 1", true},
		{"exec sleep 100", true},
	} {
		limit := time.Minute
		if strings.Contains(c.script, "sleep") {
			limit = time.Second
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := survived(ctx, exec.CommandContext(ctx, "sh", "-c", c.script))
		cancel()
		if c.refused != errors.Is(err, infer.ErrModel) || !c.refused && err != nil {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := survived(ctx, exec.CommandContext(ctx, "sh", "-c", "exit 0")); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
