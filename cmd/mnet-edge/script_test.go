package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/litert"
	"mnet-edge/sharedlib"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mnet-edge": main})
}

// The scripts type commands as a person does. Beside testscript's own commands they have
//
//	exits N COMMAND...      run COMMAND, which must exit with N
//	picture FILE SIZE       write a PNG or JPEG of SIZE x SIZE pixels
//	giant FILE              write a PNG whose header claims 2^31-1 pixels a side
//	cut FILE TO N OF        write the first N/OF of FILE to TO
//	sshd DIR                start an ssh server whose home folder is DIR; see startSSH
//	sums FILE FILE          two reports of infer --json have the same inputs, outputs and answers
//	net FILE KIND           write a small network with random weights as a model: float, int8
//	smalldisk DIR           mount a file system of 64 KiB on DIR
//
// and the conditions [tflite], [litert], [plugin] for delegates built here, [gpu] for what make gpu-test brings, [cifar10],
// [sshd] and [mount], the last one for smalldisk.
func TestScripts(t *testing.T) {
	var plugins infertest.Plugins
	if _, err := exec.LookPath("cc"); err == nil && tfliteRuntime() != nil {
		plugins = infertest.BuildPlugins(t)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("MNET_CIFAR10", os.Getenv("MNET_CIFAR10"))
			env.Setenv("HOME", env.WorkDir)
			vectors, err := filepath.Abs("../../graph/interp/testdata/vectors")
			env.Setenv("VECTORS", vectors)
			codec, err2 := filepath.Abs("../../graph/tflite/testdata")
			env.Setenv("CODEC", codec)
			env.Setenv("GOOD", plugins.Good)
			env.Setenv("EMPTY", plugins.Empty)
			env.Setenv("FOREIGN", plugins.Foreign)
			if path, err := sharedlib.Find("libLiteRt.so"); err == nil {
				env.Setenv(litert.PathEnv, path)
			}
			if path, err := sharedlib.Find("libtensorflowlite_c.so"); err == nil { // beside the program, whose folder is not this one's
				beside := filepath.Join(filepath.SplitList(env.Getenv("PATH"))[0], filepath.Base(path))
				if err := os.Symlink(path, beside); err != nil && !errors.Is(err, fs.ErrExist) {
					return err
				}
			}
			for _, name := range []string{"VK_DRIVER_FILES", "LD_LIBRARY_PATH"} { // what make gpu-test sets
				env.Setenv(name, os.Getenv(name))
			}
			return errors.Join(err, err2)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "tflite":
				return tfliteRuntime() != nil, nil
			case "plugin":
				return plugins.Good != "", nil
			case "litert":
				return available(litert.CPU), nil
			case "gpu":
				return os.Getenv("MNET_GPU") != "", nil
			case "cifar10":
				return os.Getenv("MNET_CIFAR10") != "", nil
			case "sshd":
				_, err := exec.LookPath("ssh-keygen")
				return err == nil && sshServer() != "", nil
			case "mount":
				dir := t.TempDir()
				defer unmount(dir)
				return mountSmall(dir) == nil, nil
			}
			return false, errors.New("unknown condition")
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"picture":   picture,
			"giant":     giant,
			"cut":       cut,
			"net":       writeNet,
			"smalldisk": smallDisk,
			"sshd":      startSSH,
			"sums":      sameSums,
		},
	})
}

// available says whether a delegate's library is there.
func available(delegate string) bool { return checkDelegate(delegate) == nil }

func writeNet(ts *testscript.TestScript, _ bool, args []string) {
	if args[1] == "wide" { // of images that are not square
		g := graph.New("wide")
		g.Level = graph.Folded
		x := g.Input("x", graph.Type{DType: graph.Float32, Shape: []int{1, 24, 40, 3}})
		g.Outputs = []*graph.Value{g.Apply("mean", graph.Mean{Axes: []int{1, 2}}, x)}
		g.Meta = graph.Meta{Mean: []float32{0}, Std: []float32{255}, Labels: []string{"red", "green", "blue"}}
		b, err := tflite.Encode(g)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
		return
	}
	kind := infertest.Float
	if args[1] == infertest.Int8.String() {
		kind = infertest.Int8
	}
	b, err := infertest.Model(infertest.Small, kind, 2)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want, _ := strconv.Atoi(args[0]); code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func picture(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for i := range size * size {
		img.Set(i%size, i/size, color.RGBA{uint8(i), uint8(i / size * 3), uint8(255 - i), 255})
	}
	var b bytes.Buffer
	if bytes.HasSuffix([]byte(args[0]), []byte(".jpg")) {
		ts.Check(jpeg.Encode(&b, img, nil))
	} else {
		ts.Check(png.Encode(&b, img))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o644))
}

func giant(ts *testscript.TestScript, _ bool, args []string) {
	header := append([]byte("IHDR"), 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 8, 2, 0, 0, 0)
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	b = append(b, header...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

func smallDisk(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(mountSmall(dir))
	ts.Defer(func() { unmount(dir) })
}

func sameSums(ts *testscript.TestScript, _ bool, args []string) {
	var sums [2][]string
	for i, file := range args {
		sums[i] = regexp.MustCompile(`"(?:in|out)put_sha256":"[0-9a-f]{64}"`).FindAllString(ts.ReadFile(file), -1)
	}
	if len(sums[0]) == 0 || !slices.Equal(sums[0], sums[1]) {
		ts.Fatalf("%q and %q", sums[0], sums[1])
	}
}

func cut(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	of, err := strconv.Atoi(args[3])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b[:len(b)*n/of], 0o644))
}
