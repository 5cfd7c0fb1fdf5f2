package soak

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childEnv, when set, makes the test binary a child that runs models.
const childEnv = "MNET_SOAK_CHILD"

// serveModels reads models, each after its length, and runs each on every engine. It answers a line a model: how many
// engines ran it, and what the last one that did not has said.
func serveModels(r io.Reader, w io.Writer) {
	in := bufio.NewReader(r)
	for {
		var size uint32
		if binary.Read(in, binary.LittleEndian, &size) != nil {
			return
		}
		model := make([]byte, size)
		if _, err := io.ReadFull(in, model); err != nil {
			return
		}
		ran, refusal := 0, error(nil)
		for _, e := range engines() {
			if err := runOnce(e, model); err != nil {
				refusal = fmt.Errorf("%s: %w", e, err)
			} else {
				ran++
			}
		}
		fmt.Fprintf(w, "%d %q\n", ran, fmt.Sprint(refusal))
	}
}

func runOnce(e engine, model []byte) error {
	s, err := e.open(model)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = answer(s, 1)
	return err
}

// child runs models where a crash costs nothing.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed when the child ends
	peak  float64     // MB, the most memory any child had
}

func (c *child) start() {
	c.t.Helper()
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), childEnv+"=1")
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.lines = make(chan string, 1)
	go func(lines chan<- string) {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}(c.lines)
}

// run gives the child a model. An error is what became of the child: it crashed, or had to be killed; the next model gets
// a new one.
func (c *child) run(model []byte, patience time.Duration) (ran int, said string, _ error) {
	c.t.Helper()
	if c.cmd == nil {
		c.start()
	}
	// A child that dies while it is written to shows in its missing answer.
	_, _ = c.in.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(model))), model...))
	select {
	case line, alive := <-c.lines:
		if !alive {
			err := c.cmd.Wait()
			c.cmd = nil
			return 0, "", fmt.Errorf("the child ended: %w", err)
		}
		number, quoted, _ := strings.Cut(line, " ")
		ran, err := strconv.Atoi(number)
		if err != nil {
			c.t.Fatalf("the child says %q", line)
		}
		said, err = strconv.Unquote(quoted)
		if err != nil {
			c.t.Fatalf("the child says %q", line)
		}
		c.peak = max(c.peak, statusMB(c.t, strconv.Itoa(c.cmd.Process.Pid), "VmHWM"))
		return ran, said, nil
	case <-time.After(patience):
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		c.cmd = nil
		return 0, "", fmt.Errorf("the child had no answer after %v", patience)
	}
}

func (c *child) stop() {
	if c.cmd != nil {
		c.in.Close()
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}
