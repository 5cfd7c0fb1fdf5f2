// Command instructions counts the instructions that an inference takes on a Raspberry Pi's processors: the native engine's
// against XNNPACK's, on one thread.
//
//	go run ./bench/instructions              net D at widths 0.25 and 1, random weights
//	go run ./bench/instructions A.tflite...  other models
//
// It builds itself for arm64 and runs under qemu's user mode, with a plugin (plugin/count.c) that adds up the instructions
// of all threads. Two runs that differ by nothing but the number of calls differ by the instructions of these calls. That
// is a property of the programs alone: on a real processor instructions take unequal times, some at once, and what waits
// for memory shows here not at all. TFLite chooses XNNPACK's kernels by what the emulated processor says it can do.
//
// It needs qemu-user (qemu-user-static cannot load plugins), a C compiler, and aarch64-linux-gnu-gcc with its libraries;
// the Makefile says where TFLite is.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/model"
)

func main() {
	log.SetFlags(0)
	lib := flag.String("tflite", "native/linux-arm64", "the `folder` of TFLite's library for arm64; \"\": without")
	include := flag.String("include", "native/include", "the `folder` of TFLite's headers")
	cpus := flag.String("cpu", "cortex-a72,cortex-a76", "processors, as qemu names them")
	runtimes := flag.String("runtimes", "xnnpack,native", "what to compare with the first: xnnpack, native, or a family of native's")
	few := flag.Int("few", 2, "calls of the shorter run")
	many := flag.Int("many", 12, "calls of the longer run")
	repeat := flag.Int("repeat", 3, "pairs of runs, the median of which counts")
	child := flag.String("child", "", "run a model's `file` -few times in this process, by one runtime: what the emulator does")
	flag.Parse()
	if *child != "" {
		if err := run(*child, *runtimes, *few); err != nil {
			log.Fatal(err)
		}
		return
	}
	dir, err := os.MkdirTemp("", "instructions")
	if err != nil {
		log.Fatal(err)
	}
	err = count(dir, options{
		models: flag.Args(), lib: *lib, include: *include, cpus: strings.Split(*cpus, ","), runtimes: strings.Split(*runtimes, ","),
		few: *few, many: *many, repeat: *repeat,
	})
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
}

type options struct {
	models            []string // .tflite files
	lib, include      string
	cpus, runtimes    []string
	few, many, repeat int
}

// count prints a table of instructions a call; dir is for what it builds.
func count(dir string, o options) error {
	e, err := build(dir, o.lib, o.include)
	if err != nil {
		return err
	}
	if len(o.models) == 0 {
		if o.models, err = random(dir); err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\t\tnodes\tinstructions a call\tspread\tratio\t\n")
	for _, m := range o.models {
		for _, cpu := range o.cpus {
			first := 0.
			for _, r := range o.runtimes {
				f, err := e.figure(cpu, r, m, o)
				if err != nil {
					return err
				}
				if first == 0 {
					first = f.calls
				}
				fmt.Fprintf(w, "%s\t%s, %s\t%s\t%.0f\t%.0f\t%.3f\t\n", filepath.Base(m), cpu, r, f.nodes, f.calls, f.spread, f.calls/first)
			}
		}
	}
	return w.Flush()
}

// random writes net D at two widths, with random weights.
func random(dir string) (paths []string, err error) {
	for _, width := range []float64{0.25, 1} {
		spec := model.DefaultSpec(model.NetD)
		spec.Width = width
		b, err := infertest.Model(spec, infertest.Int8, 1)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, spec.Name())
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// emulator is qemu with the plugin, and the program built for arm64.
type emulator struct{ plugin, program string }

//go:embed plugin/count.c
var source string

const sysroot = "/usr/aarch64-linux-gnu"

// build makes the plugin, and this program for arm64 with TFLite's library beside it.
func build(dir, lib, include string) (e emulator, err error) {
	e = emulator{filepath.Join(dir, "count.so"), filepath.Join(dir, "child")}
	cc := exec.Command("cc", "-O2", "-shared", "-fPIC", "-x", "c", "-o", e.plugin, "-")
	cc.Stdin = strings.NewReader(source)
	if err := output(cc); err != nil {
		return e, err
	}
	args := []string{"build", "-buildvcs=false", "-o", e.program}
	env := []string{"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"}
	if lib != "" {
		if lib, err = filepath.Abs(lib); err == nil {
			include, err = filepath.Abs(include)
		}
		if err != nil {
			return e, err
		}
		const name = "libtensorflowlite_c.so"
		if err := os.Symlink(filepath.Join(lib, name), filepath.Join(dir, name)); err != nil {
			return e, err
		}
		args = append(args, "-tags", "tflite")
		env = append(env[:2], "CGO_ENABLED=1", "CC=aarch64-linux-gnu-gcc", "CGO_CFLAGS=-O2 '-I"+include+"'", "CGO_LDFLAGS=-O2 '-L"+lib+"'")
	}
	compile := exec.Command("go", append(args, "./bench/instructions")...)
	compile.Env = append(os.Environ(), env...)
	return e, output(compile)
}

// output runs a command for its effect; what it printed is the error.
func output(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

var (
	counted = regexp.MustCompile(`(?m)^instructions (\d+)$`)
	placed  = regexp.MustCompile(`(?m)^nodes (\d+/\d+)$`)
)

// run is the number of instructions of a process that makes some calls, and how many of the model's nodes the runtime took.
func (e emulator) run(cpu, runtime, model string, calls int) (n float64, nodes string, err error) {
	cmd := exec.Command("qemu-aarch64", "-plugin", e.plugin, "-d", "plugin", "-L", sysroot, "-cpu", cpu,
		e.program, "-child", model, "-runtimes", runtime, "-few", strconv.Itoa(calls))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	count, took := counted.FindSubmatch(out), placed.FindSubmatch(out)
	if count == nil || took == nil {
		return 0, "", fmt.Errorf("%s: no count in its output\n%s", cmd, out)
	}
	n, err = strconv.ParseFloat(string(count[1]), 64)
	return n, string(took[1]), err
}

// figure is the median number of instructions a call, how far the pairs of runs were apart, and the nodes taken.
type figure struct {
	calls, spread float64
	nodes         string
}

func (e emulator) figure(cpu, runtime, model string, o options) (f figure, err error) {
	var each []float64
	for range o.repeat {
		few, _, err := e.run(cpu, runtime, model, o.few)
		if err != nil {
			return f, err
		}
		many, nodes, err := e.run(cpu, runtime, model, o.many)
		if err != nil {
			return f, err
		}
		each, f.nodes = append(each, (many-few)/float64(o.many-o.few)), nodes
	}
	slices.Sort(each)
	f.calls, f.spread = infer.Quantile(each, 50), each[len(each)-1]-each[0]
	return f, nil
}
