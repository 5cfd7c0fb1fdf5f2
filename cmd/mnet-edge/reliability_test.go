package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mnet-edge/model"
	"mnet-edge/model/modeltest"
	"mnet-edge/train"
)

// The tests of this file run the program as its own process and take its life, its disk or its folder away from it.

// kills is the number of kills asked for in the environment: a soak takes 1000, a usual run of the tests fewer.
func kills(t *testing.T, usual int) int {
	v := os.Getenv("MNET_KILLS")
	if v == "" {
		return usual
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// process is the program running, with what it has said so far.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   bytes.Buffer
	lines chan string // of standard error, closed at its end
	said  []string
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("mnet-edge", args...), lines: make(chan string, 1000)}
	p.cmd.Stdout = &p.out
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	go func() {
		for s := bufio.NewScanner(stderr); s.Scan(); {
			p.lines <- s.Text()
		}
		close(p.lines)
	}()
	return p
}

// waitFor reads standard error up to the line that contains text; it reports whether there was one.
func (p *process) waitFor(text string) bool {
	for line := range p.lines {
		p.said = append(p.said, line)
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// end waits for the process and returns its exit code, -1 for one that was killed, and its standard error.
func (p *process) end() (code int, stderr string) {
	p.t.Helper()
	p.waitFor("\n") // no line holds one: this reads to the end
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	code, stderr = p.cmd.ProcessState.ExitCode(), strings.Join(p.said, "\n")
	if runtime.GOOS == "windows" && code == 1 && !strings.Contains(stderr, "mnet-edge: ") { // killed: by itself it says why
		code = -1
	}
	return code, stderr
}

// short is a training run of epochs of four steps, a step some tens of milliseconds, that stores a checkpoint after each.
func short(out string, epochs int, more ...string) []string {
	return append([]string{"train", "--net", "D", "--width", "0.03125", "--limit", "40", "--batch", "8", "--backend", "go",
		"--save-every", "1ns", "--epochs", strconv.Itoa(epochs), "--out", out}, more...)
}

func resume(out string) []string {
	return []string{"train", "--resume", "--save-every", "1ns", "--out", out}
}

// mustRun runs the program to its end, which must be a good one.
func mustRun(t *testing.T, args ...string) {
	t.Helper()
	if code, stderr := start(t, args...).end(); code != exitOK {
		t.Fatalf("%v: exit %d\n%s", args, code, stderr)
	}
}

// Training runs are killed at random moments and resumed until they end, with the weights of one that was left alone. No
// epoch that was announced as done is ever lost.
func TestKilledTraining(t *testing.T) {
	t.Run(train.BackendGo, func(t *testing.T) { testKilledTraining(t, train.BackendGo, kills(t, 8)) })
	t.Run(train.BackendXLA, func(t *testing.T) {
		withXLA(t)
		testKilledTraining(t, train.BackendXLA, max(1, kills(t, 30)/10)) // it compiles before each
	})
}

func testKilledTraining(t *testing.T, backend string, wanted int) {
	const epochs = 3
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(11, 11))
	begin := func(out string) []string { return append(short(out, epochs), "--backend", backend) }
	whole := filepath.Join(dir, "whole")
	var began time.Time
	p := start(t, begin(whole)...)
	first := afterCheckpoint(whole, func() { began = time.Now() })
	if code, stderr := p.end(); code != exitOK {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	first()
	if began.IsZero() {
		t.Fatal("the run stored no checkpoint that was seen")
	}
	usual := time.Since(began)
	killed, writing, runs := 0, 0, 0
	for ; killed < wanted; runs++ {
		run, announced := filepath.Join(dir, fmt.Sprint("run", runs)), 0
		for {
			args := resume(run)
			if _, err := train.LoadConfig(run); err != nil {
				args = begin(run)
			}
			p := start(t, args...)
			stop := func() {}
			if after := time.Duration(rng.Int64N(int64(usual))); killed < wanted { // once there were enough it ends, on the slowest of machines too
				stop = afterCheckpoint(run, func() { time.Sleep(after); p.cmd.Process.Kill() })
			}
			code, stderr := p.end()
			stop()
			for _, line := range p.said {
				fmt.Sscanf(line, "epoch %d/", &announced)
			}
			if code == exitOK {
				break
			}
			if code != -1 {
				t.Fatalf("exit %d after a kill:\n%s", code, stderr)
			}
			killed++
			if begun, _ := filepath.Glob(filepath.Join(run, "checkpoint", "*.new")); len(begun) > 0 {
				writing++
			}
			if announced > 0 {
				if c := modeltest.LoadLast(t, run); c.Epoch < announced {
					t.Fatalf("epoch %d was done; the checkpoint is of epoch %d, step %d", announced, c.Epoch, c.Step)
				}
			}
		}
		modeltest.SameWeights(t, fmt.Sprintf("after %d kills", killed), run, whole)
	}
	t.Logf("%d kills, %d of them while a checkpoint was being written, in %d runs, each of which ended with the unbroken run's weights", killed, writing, runs)
}

// afterCheckpoint calls do once the run has stored a checkpoint, counted from now on, unless stop is called before: then it waits for do, if that was called.
func afterCheckpoint(run string, do func()) (stop func()) {
	manifest := filepath.Join(run, "checkpoint", "last", "manifest.json")
	before, _ := os.ReadFile(manifest)
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if now, err := os.ReadFile(manifest); err == nil && !bytes.Equal(now, before) {
				do()
				return
			}
			select {
			case <-stopped:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() { close(stopped); <-done }
}

// withXLA has the program find XLA's plugin, or skips.
func withXLA(t *testing.T) {
	t.Helper()
	plugin, err := train.FindPlugin(train.BackendXLA)
	if err != nil {
		t.Skip("make native brings XLA's plugin: ", err)
	}
	t.Setenv(train.PluginEnv, plugin)
}

// A run that is killed within an epoch goes on within it: checkpoints are stored there too, and what was stored is trained once.
func TestKilledWithinEpoch(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	// killedPast kills p once it has stored a later step than that, and returns the step.
	killedPast := func(step int64, p *process) (stored int64) {
		t.Helper()
		for began := time.Now(); stored <= step; time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > time.Minute {
				p.cmd.Process.Kill()
				_, stderr := p.end()
				t.Fatalf("after a minute there is no checkpoint of a step after %d\n%s", step, stderr)
			}
			if c, _, err := model.Load(filepath.Join(run, "checkpoint", "last")); err == nil {
				stored = c.Step
			}
		}
		p.cmd.Process.Kill()
		if _, stderr := p.end(); strings.Contains(stderr, "epoch 1/") {
			t.Fatalf("the epoch is over:\n%s", stderr)
		}
		return stored
	}
	// The first of two epochs, of 450 steps, lasts longer than its first checkpoints are waited for.
	before := killedPast(2, start(t, append(short(run, 2), "--limit", "4000")...))
	c := modeltest.LoadLast(t, run)
	if c.Epoch != 0 || c.Step < before {
		t.Fatalf("step %d had been stored; after the kill there is step %d of epoch %d", before, c.Step, c.Epoch)
	}
	killedPast(c.Step, start(t, resume(run)...))
}

// A conversion that is killed leaves the model of before, or none, or the whole new one.
func TestKilledConversion(t *testing.T) {
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(12, 12))
	out := filepath.Join(dir, "model", "out.tflite")
	if err := os.Mkdir(filepath.Dir(out), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Dir(out)) // the writer may begin its file there
	var checkpoints []string
	var models [][]byte
	var usual time.Duration
	for i := range 2 {
		checkpoints = append(checkpoints, untrained(t, func(s *model.Spec) { s.Width, s.MidReLU = 1, i == 0 }))
		began := time.Now()
		mustRun(t, "convert", "--float32", "-o", out, checkpoints[i])
		usual = time.Since(began)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, b)
		if err := os.Remove(out); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(models[0], models[1]) {
		t.Fatal("the two models are the same")
	}
	killed, absent, writing := 0, 0, 0
	var old []byte
	for wanted, tries := kills(t, 30), 0; killed < wanted; tries++ {
		if tries == 50*wanted {
			t.Fatalf("%d kills in %d conversions", killed, tries)
		}
		i := rng.IntN(2)
		began := time.Now()
		p := start(t, "convert", "--float32", "-o", out, checkpoints[i])
		// The file is put in its place at the end: most of the kills come there.
		kill := time.AfterFunc(usual/2+time.Duration(rng.Int64N(int64(usual)*3/5)), func() { p.cmd.Process.Kill() })
		code, stderr := p.end()
		kill.Stop()
		if code != -1 && code != exitOK {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		if code == -1 {
			killed++
		} else {
			usual = min(usual, time.Since(began)) // the machine may have been busy before
		}
		b, err := os.ReadFile(out)
		switch {
		case os.IsNotExist(err) && old == nil && code == -1:
			absent++
		case err != nil:
			t.Fatalf("kill %d: %v", killed, err)
		case code == exitOK && !bytes.Equal(b, models[i]):
			t.Fatalf("after kill %d: a conversion that was left alone wrote another model", killed)
		case !bytes.Equal(b, models[i]) && !bytes.Equal(b, old):
			t.Fatalf("kill %d: a model of %d bytes, neither the old nor the new", killed, len(b))
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*")); len(left) > 0 {
			writing++ // what a killed process had begun; nothing takes it for a model
			for _, l := range left {
				os.Remove(l)
			}
		}
		old = b
		if rng.IntN(4) == 0 { // to see it absent more than once
			os.Remove(out)
			old = nil
		}
	}
	t.Logf("%d kills, %d of them with the file begun, %d with no model before or after", killed, writing, absent)
}

// Of two processes in one folder one works on; the other is told its number, whoever of the two came first.
func TestTwoRunsInOneFolder(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	ps := []*process{start(t, short(run, 1000)...), start(t, short(run, 1000)...)}
	ended, working := make(chan int, 2), make(chan int, 2)
	for i, p := range ps {
		go func() {
			if p.waitFor("epoch 1/") {
				working <- i
			} else { // the one that is refused ends without
				ended <- i
			}
		}()
	}
	loser := <-ended
	winner := ps[1-loser]
	select {
	case <-working: // so that there is a run to resume, and a checkpoint
	case i := <-ended:
		_, stderr := ps[i].end()
		t.Fatalf("the winner ended:\n%s", stderr)
	}
	refused := func(p *process) {
		t.Helper()
		code, stderr := p.end()
		want := fmt.Sprintf("process %d", winner.cmd.Process.Pid)
		if code != exitIO || !strings.Contains(stderr, want) || strings.Count(stderr, "mnet-edge: ") != 1 {
			t.Errorf("exit %d, want %d and %q in\n%s", code, exitIO, want, stderr)
		}
	}
	refused(ps[loser])
	refused(start(t, resume(run)...))
	if runtime.GOOS == "windows" {
		return // has no interrupt to send
	}
	winner.cmd.Process.Signal(os.Interrupt)
	if code, stderr := winner.end(); code != exitInterrupted {
		t.Errorf("the winner's exit %d\n%s", code, stderr)
	}
	modeltest.LoadLast(t, run)
	// With the winner gone the folder is free again.
	p := start(t, resume(run)...)
	if !p.waitFor("epoch ") {
		_, stderr := p.end()
		t.Errorf("resuming the winner's run:\n%s", stderr)
	}
}

// An interrupt ends a run with a checkpoint of the step it was at; a second one ends it at once, with a whole one of before.
func TestInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no interrupt to send")
	}
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(13, 13))
	whole := filepath.Join(dir, "whole")
	mustRun(t, short(whole, 3)...)

	once := filepath.Join(dir, "once")
	p := start(t, append(short(once, 3), "--save-every", "1h")...)
	if !p.waitFor("epoch 1/") {
		t.Fatal(p.end())
	}
	interrupted := time.Now()
	p.cmd.Process.Signal(os.Interrupt)
	code, stderr := p.end()
	if took := time.Since(interrupted); code != exitInterrupted || took > 10*time.Second { // the promise of the exit
		t.Errorf("exit %d after %v\n%s", code, took, stderr)
	}
	if !strings.Contains(stderr, "checkpoint stored") || !strings.Contains(stderr, "hint: mnet-edge train --resume --out "+once) {
		t.Errorf("interrupted once, it says\n%s", stderr)
	}
	if c := modeltest.LoadLast(t, once); !strings.Contains(stderr, fmt.Sprintf("step %d,", c.Step)) {
		t.Errorf("checkpoint of step %d, but\n%s", c.Step, stderr)
	}
	mustRun(t, resume(once)...)
	modeltest.SameWeights(t, "interrupted once", once, whole)

	twice := filepath.Join(dir, "twice")
	atOnce := 0
	for i := range 8 {
		args := resume(twice)
		if i == 0 {
			args = short(twice, 3)
		}
		p := start(t, args...)
		p.waitFor("compiling")
		time.Sleep(time.Duration(rng.Int64N(int64(300 * time.Millisecond))))
		p.cmd.Process.Signal(os.Interrupt)
		time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
		p.cmd.Process.Signal(os.Interrupt)
		switch code, stderr := p.end(); code {
		case -1:
			if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGINT {
				t.Errorf("interrupted twice, it ended by %v", p.cmd.ProcessState)
			}
			atOnce++
		case exitInterrupted, exitOK: // it was done before the second came
		default:
			t.Errorf("interrupted twice: exit %d\n%s", code, stderr)
		}
	}
	mustRun(t, resume(twice)...)
	modeltest.SameWeights(t, "interrupted twice", twice, whole)
	if atOnce == 0 {
		t.Error("none of 8 ended by the second interrupt")
	}
}

// What does not end when it is interrupted is left after a while, and counts as interrupted.
func TestOrderly(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	failed := errors.New("failed")
	if err := orderly(ctx, time.Hour, func() error { return failed }); err != failed {
		t.Errorf("of what ended by itself: %v", err)
	}
	cancel()
	if err := orderly(ctx, time.Hour, func() error { return failed }); err != failed {
		t.Errorf("of what ended once it was interrupted: %v", err)
	}
	never := make(chan struct{})
	defer close(never)
	if err := orderly(ctx, time.Millisecond, func() error { <-never; return nil }); exitCode(err) != exitInterrupted || !strings.Contains(err.Error(), "1ms") {
		t.Errorf("of what did not end: %v", err)
	}
}
