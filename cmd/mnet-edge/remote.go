package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/builtin"
	"mnet-edge/dataset"
	"mnet-edge/report"
)

// A command with --on runs on another machine, by the system's ssh and the mnet-edge that is installed there. The files that its
// flags and arguments name go along, each once: they stay in a folder of the other machine, by their sha256. What the
// command prints there is what it prints here, and its exit code is the exit code. bench has a report of numbers brought back
// and writes it here, in the form asked for.

// remoteFolder is where files are kept, below the home folder there.
const remoteFolder = ".cache/mnet-edge/on"

// sshEnv names the variable with the command to use for ssh, words between spaces; none of them can have one in it.
const sshEnv = "MNET_SSH"

func remoteFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "on", Usage: "run on another machine, `USER@HOST` as ssh takes it, and bring the report back"},
		&cli.StringFlag{Name: "on-binary", Value: "mnet-edge", Usage: "`PATH` of mnet-edge on that machine: a bare name is looked for as ssh looks for commands, and a relative path is from the home folder there"},
	}
}

// elsewhere says whether the command is to run on another machine.
func elsewhere(c *cli.Context) (bool, error) {
	if c.IsSet("on-binary") && !c.IsSet("on") {
		return false, usagef("--on-binary is about --on USER@HOST")
	}
	return c.IsSet("on"), nil
}

// remoteExit is the exit code of a command that has said there what was wrong.
type remoteExit int

func (e remoteExit) Error() string { return fmt.Sprintf("exit code %d on the other machine", int(e)) }

// remote is another machine with the files to bring there.
type remote struct {
	host string
	ssh  []string
	send map[string]string // a file here, by its name below remoteFolder
}

// onRemote runs the command of c on the machine that --on names. files are its arguments.
func onRemote(c *cli.Context, files []string) error {
	r, err := newRemote(c)
	if err != nil {
		return err
	}
	return r.call(c, files, c.App.Writer)
}

// benchOnRemote is bench's comparison as the machine that --on names measured it. Its models have the names they have here.
func benchOnRemote(c *cli.Context) (*report.Bench, error) {
	r, err := newRemote(c)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = r.call(c, c.Args().Slice(), &out)
	if exit := remoteExit(0); errors.As(err, &exit) && c.Bool("json") {
		_, err := c.App.Writer.Write(out.Bytes()) // what was wrong, as an object
		return nil, errors.Join(exit, err)
	}
	if err != nil {
		return nil, err
	}
	var b report.Bench
	if err := json.Unmarshal(out.Bytes(), &b); err != nil {
		return nil, fmt.Errorf("%w: its report: %w", errRemote, err)
	}
	if b.Version != report.BenchVersion {
		return nil, fmt.Errorf("%w: its mnet-edge writes reports of format %d, this one reads %d", errRemote, b.Version, report.BenchVersion)
	}
	for i := range b.Rows {
		if local, ok := r.send[b.Rows[i].Model]; ok {
			b.Rows[i].Model = local
		}
	}
	return &b, nil
}

func newRemote(c *cli.Context) (*remote, error) {
	r := &remote{host: c.String("on"), ssh: strings.Fields(os.Getenv(sshEnv)), send: map[string]string{}}
	if len(r.ssh) == 0 {
		r.ssh = []string{"ssh"}
	}
	if r.host == "" || strings.HasPrefix(r.host, "-") {
		return nil, usagef("--on %q: want USER@HOST", r.host)
	}
	return r, nil
}

// call brings the files over and runs the command of c there. out takes what it prints.
func (r *remote) call(c *cli.Context, files []string, out io.Writer) error {
	command, err := r.command(c, files)
	if err != nil {
		return err
	}
	if err := r.sendFiles(c); err != nil {
		return err
	}
	line := strings.Join(command, " ")
	if slices.Contains(files, "-") {
		return r.run(c.Context, fmt.Sprintf("cd %s && exec %s", remoteFolder, line), c.App.Reader, out, c.App.ErrWriter)
	}
	open, end, err := os.Pipe() // nothing is written to it; the caller's own input is not ours to read
	if err != nil {
		return err
	}
	defer open.Close()
	defer end.Close()
	return r.run(c.Context, fmt.Sprintf("cd %s && exec sh -c %s", remoteFolder, quote(fmt.Sprintf(untilClosed, line))), open, out, c.App.ErrWriter)
}

// untilClosed is a line of shell that runs a command until it ends or standard input does. Without a terminal ssh tells the other machine
// nothing else of an interrupt here, and the command would go on beside whatever is measured next.
const untilClosed = `exec 3<&0; %s </dev/null & command=$!; { cat <&3; kill $command; } >/dev/null 2>&1 & watch=$!; wait $command; code=$?; kill $watch; exit $code`

// command is the command line for the other machine's shell, with the names that files have there.
func (r *remote) command(c *cli.Context, files []string) ([]string, error) {
	words := []string{program(c.String("on-binary")), c.Command.Name}
	flags, here := c.LocalFlagNames(), []string{"on", "on-binary"}
	switch {
	case c.Command.Name == "bench":
		words, here = append(words, "--json"), append(here, "json", "csv", "markdown", "html")
	case c.String("model") == "":
		flags = append(flags, "model")
	}
	slices.Sort(flags)
	for _, name := range slices.Compact(flags) {
		if slices.Contains(here, name) {
			continue
		}
		value := fmt.Sprint(c.Value(name))
		var err error
		switch name {
		case "model":
			if value = modelPath(c); value != builtin.Name {
				value, err = r.file(value)
			}
		case "labels":
			value, err = r.file(value)
		case "data":
			info, statErr := os.Stat(value)
			switch {
			case statErr != nil, slices.Contains(dataset.Names, value): // the other machine knows it or says that it does not
			case info.IsDir():
				err = usagef("--data %s is a folder; the other machine takes a .zip of it", value)
			default:
				value, err = r.file(value)
			}
		}
		if err != nil {
			return nil, err
		}
		words = append(words, "--"+name+"="+quote(value))
	}
	for _, f := range files {
		if f != "-" && f != builtin.Name {
			var err error
			if f, err = r.file(f); err != nil {
				return nil, err
			}
		}
		words = append(words, quote(f))
	}
	return words, nil
}

// program is what --on-binary names as the other machine's shell is to call it. Commands run in remoteFolder, but a relative path is meant
// from the home folder.
func program(p string) string {
	below, tilde := strings.CutPrefix(p, "~/")
	if path.IsAbs(p) || !tilde && !strings.Contains(p, "/") {
		return quote(p)
	}
	return `"$HOME"/` + quote(below)
}

// file is the name that a file here has there, SHA256/NAME.
func (r *remote) file(local string) (string, error) {
	info, err := os.Stat(local)
	if err != nil {
		return "", refuse(err)
	}
	if !info.Mode().IsRegular() {
		return "", usagef("%s is not a regular file", local)
	}
	b, err := os.ReadFile(local)
	if err != nil {
		return "", refuse(err)
	}
	name := path.Join(sha256Hex(b)[:16], filepath.Base(local))
	r.send[name] = local
	return name, nil
}

// sendFiles brings the files over that are not there yet. A file has its name only when it is whole.
func (r *remote) sendFiles(c *cli.Context) error {
	var there bytes.Buffer
	list := fmt.Sprintf("mkdir -p %s && cd %[1]s && find . -type f", remoteFolder)
	if err := r.run(c.Context, list, nil, &there, c.App.ErrWriter); err != nil {
		return r.notSent(err)
	}
	known := strings.Split(there.String(), "\n")
	for _, name := range sortedKeys(r.send) {
		if slices.Contains(known, "./"+name) {
			continue
		}
		f, err := os.Open(r.send[name])
		if err != nil {
			return refuse(err)
		}
		say(c, "sending %s to %s", r.send[name], r.host)
		err = r.sendFile(c, name, f)
		f.Close()
		if err != nil {
			return r.notSent(err)
		}
	}
	return nil
}

func (r *remote) sendFile(c *cli.Context, name string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	line := fmt.Sprintf(storeWhole, quote(path.Dir(name)), quote(name), info.Size())
	return r.run(c.Context, fmt.Sprintf("cd %s && exec sh -c %s", remoteFolder, quote(line)), f, io.Discard, c.App.ErrWriter)
}

// storeWhole is a line of shell that stores its standard input: folder, name, bytes. Where the connection breaks, what comes here ends all the same,
// so the bytes are counted; two that send the same file each have a part of their own.
const storeWhole = `mkdir -p %s && part=%s.part.$$ && trap 'rm -f "$part"' EXIT && cat >"$part" && test "$(wc -c <"$part")" -eq %[3]d && mv "$part" %[2]s`

// notSent is err, or where a command of the shell failed, which is not our program's own failure, that files can't be stored there.
func (r *remote) notSent(err error) error {
	if exit := remoteExit(0); errors.As(err, &exit) {
		return fmt.Errorf("%w: %s can't store files below %s", errRemote, r.host, remoteFolder)
	}
	return err
}

// run runs a line of the other machine's shell.
func (r *remote) run(ctx context.Context, line string, in io.Reader, out, errOut io.Writer) error {
	args := append(slices.Clone(r.ssh[1:]), "--", r.host, line)
	cmd := exec.CommandContext(ctx, r.ssh[0], args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errOut
	ended := make(chan error, 1)
	go func() { ended <- cmd.Run() }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		select {
		case err = <-ended:
		case <-time.After(5 * time.Second): // a script in ssh's place may leave something behind that holds its output
			return ctx.Err()
		}
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &exit):
		return fmt.Errorf("%w: %s", errRemote, oneLine(err))
	}
	const hint = "unpack the archive of make pi there, and say where with --on-binary PATH/mnet-edge"
	switch code := exit.ExitCode(); {
	case code > exitOK && code <= exitAccuracy, code == exitInterrupted: // our own codes
		return remoteExit(code)
	case code == 126:
		return withHint(fmt.Errorf("%w: %s can't run the command: it is no program, or one for another machine", errRemote, r.host), hint)
	case code == 127:
		return withHint(fmt.Errorf("%w: %s has no such command", errRemote, r.host), hint)
	case code == 255:
		return fmt.Errorf("%w: no connection to %s", errRemote, r.host)
	case code > 128:
		return fmt.Errorf("%w: the command was ended on %s by signal %d", errRemote, r.host, code-128)
	}
	return fmt.Errorf("%w: %s: %s", errRemote, r.ssh[0], oneLine(err))
}

// errRemote is a machine that can't be reached or lacks the program.
var errRemote = errors.New("the other machine")

// quote makes one word of s for the other machine's shell, whatever is in it. There is no backslash in it to quote again: fish has them quote
// between single quotes too.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }
