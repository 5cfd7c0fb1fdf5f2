package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestCompletions(t *testing.T) {
	app := newApp(nil, nil, nil)
	app.Setup()
	for _, c := range []struct {
		words string // those typed so far, with | between them
		want  string // among what is offered
		not   string // not among it
	}{
		{"", "infer", "probe"},
		{"in", "inspect", "train"},
		{"infer|--wa", "--warmup-runs", "--threads"},
		{"infer|photo.png|--", "--model", "--epochs"},
		{"convert|-", "-o", ""},
		{"infer|--delegate|", "reference", "train:go"},
		{"train|--net|", "D", "fast"},
		{"train|--backend=x|--preset|f", "fast", "seed"},
		{"inspect|", "C", ""},
		{"completion|", "fish", ""},
	} {
		got := completions(app, strings.Split(c.words, "|"))
		if !slices.Contains(got, c.want) || slices.Contains(got, c.not) {
			t.Errorf("%q: %q, want %q among them and not %q", c.words, got, c.want, c.not)
		}
	}
	// Where a file is wanted nothing is offered, so that the shell completes file names.
	for _, words := range []string{"infer|", "infer|--model|", "infer|--json|ph", "fly|", "devices|x|"} {
		if got := completions(app, strings.Split(words, "|")); len(got) != 0 {
			t.Errorf("%q: %q, want nothing", words, got)
		}
	}
}

// Every value that is offered for a flag is one that the command takes as its own.
func TestCompletedFlagsExist(t *testing.T) {
	app := newApp(nil, nil, nil)
	app.Setup()
	known := 0
	for _, command := range app.VisibleCommands() {
		for _, f := range command.VisibleFlags() {
			name := f.Names()[0]
			values := flagValues(command, "--"+name)
			if values == nil {
				continue
			}
			known++
			if s, ok := f.(*cli.StringFlag); !ok || s.Value != "" && !strings.Contains(s.Value, ",") && !slices.Contains(values, s.Value) {
				t.Errorf("%s --%s: %v does not hold the default", command.Name, name, values)
			}
		}
	}
	if known < 10 {
		t.Errorf("%d flags have values to offer", known)
	}
}

// A bash that has read the script completes as a person sees it.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "mnet-edge"), ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	cmd := exec.Command(bash, "--norc", "-c", `source <(mnet-edge completion bash)
COMP_WORDS=(mnet-edge infer --delegate r) COMP_CWORD=3
_mnet_edge
echo "${COMPREPLY[@]}"`)
	cmd.Env = append(cmd.Environ(), "PATH="+dir+":"+"/usr/bin:/bin")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "reference" {
		t.Errorf("%q, %v", out, err)
	}
}
