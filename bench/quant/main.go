// Command quant compares what three quantizers make of the same float models: ours, TensorFlow's and LiteRT's.
//
//	quant -data cifar10.zip -edge bin/mnet-edge -python .venv-quant/bin/python runs/D-w0.25-001 bench/quant/models/resnet8.tflite
//
// All three get the same float .tflite and the same calibration images. All results run in LiteRT, under XNNPACK and under its
// reference kernels, over the same test images, decoded here. Two quantizers that were right equally often on 10,000 images may yet
// be far apart, and two that were not may be equal: what is compared is paired, image by image, and comes with its 95 % interval.
// Nothing is averaged: a time is that of one whole process, the imports of Python's libraries with it, and the figure in brackets
// leaves those out. With -speed N times alone are compared, each quantizer's in turn, N times over.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mnet-edge/dataset"
	"mnet-edge/infer"
)

// bench is what the flags say.
type bench struct {
	data, edge, python, tensorflow, work, scripts string
	calib, test, speed                            int
	set                                           *dataset.Set
}

// A model without metadata is taken to want pixels in -1..1, as those of bench/quant/models do.
var keras = infer.Given{Mean: []float32{127.5}, Std: []float32{127.5}}

func main() {
	var b bench
	var export string
	flag.StringVar(&b.data, "data", "", "`DATA` as mnet-edge takes it")
	flag.StringVar(&b.edge, "edge", "bin/mnet-edge", "the `BINARY`")
	flag.StringVar(&b.python, "python", "", "a `PYTHON` with ai-edge-quantizer and ai-edge-litert")
	flag.StringVar(&b.tensorflow, "tensorflow", "", "a `PYTHON` with tensorflow (default: the same)")
	flag.StringVar(&b.work, "work", "", "the `FOLDER` for models and arrays (default: a temporary one)")
	flag.StringVar(&b.scripts, "scripts", "bench/quant", "the `FOLDER` of quantize.py and evaluate.py")
	flag.IntVar(&b.calib, "calib", 512, "`N` calibration images")
	flag.IntVar(&b.test, "test", 0, "`N` test images; 0 stands for all")
	flag.IntVar(&b.speed, "speed", 0, "compare times alone, in `N` rounds in which all quantizers take a turn")
	flag.StringVar(&export, "export", "", "write the whole set as arrays for train.py into `FOLDER`, and end")
	flag.Parse()
	if err := b.run(export, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "quant:", err)
		os.Exit(1)
	}
}

func (b *bench) run(export string, models []string) error {
	ctx, o := context.Background(), dataset.Options{}
	if export == "" {
		o.TrainLimit, o.TestLimit = b.calib, b.test
	}
	var err error
	if b.set, err = dataset.Open(ctx, b.data, o); err != nil {
		return err
	}
	if export != "" {
		return b.arrays(export)
	}
	if b.tensorflow == "" {
		b.tensorflow = b.python
	}
	if b.work == "" {
		if b.work, err = os.MkdirTemp("", "bench-quant"); err != nil {
			return err
		}
		defer os.RemoveAll(b.work)
	}
	if err := b.arrays(b.work); err != nil {
		return err
	}
	if b.speed > 0 {
		return b.race(models)
	}
	fmt.Printf("%d calibration images, %d test images of %s\n\n", b.set.Train.N, b.set.Test.N, b.set.Name)
	fmt.Println("A drop is in points, in brackets what holds it with 95 % confidence; \"ours against it\" is ours less the peer's on the same")
	fmt.Println("images, with the number of images that ours alone and the peer's alone had right; \"equal\" is an interval that holds 0.")
	fmt.Printf("\n| %s |\n%s|\n", strings.Join(columns, " | "), strings.Repeat("|---", len(columns)))
	for _, m := range models {
		if err := b.model(m); err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
	}
	return nil
}

// arrays writes the set for the scripts.
func (b *bench) arrays(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, s := range map[string]*dataset.Split{"train": &b.set.Train, "test": &b.set.Test} {
		shape := fmt.Sprintf("(%d, %d, %d, 3)", s.N, s.H, s.W)
		if err := writeArray(filepath.Join(dir, name+".npy"), "|u1", shape, s.Pixels); err != nil {
			return err
		}
		labels, err := binary.Append(nil, binary.LittleEndian, s.Labels)
		if err == nil {
			err = writeArray(filepath.Join(dir, name+"-labels.npy"), "<u2", fmt.Sprintf("(%d,)", s.N), labels)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeArray writes NumPy's format, version 1.0.
func writeArray(path, dtype, shape string, data []byte) error {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", dtype, shape)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	var f bytes.Buffer
	f.WriteString("\x93NUMPY\x01\x00")
	f.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	f.WriteString(header)
	f.Write(data)
	return os.WriteFile(path, f.Bytes(), 0o644)
}

// made is a quantized model.
type made struct {
	by, path    string
	whole, work time.Duration // of the process; of it without Python's imports
}

func (b *bench) model(path string) error {
	name, at, flags, err := b.prepare(path)
	if err != nil {
		return err
	}
	all := []made{{by: "mnet-edge", path: at("ours.tflite")}, {by: "TensorFlow", path: at("tensorflow.tflite")}, {by: "LiteRT", path: at("litert.tflite")}}
	for i := range all {
		if err := b.make(&all[i], at("float.tflite"), at("npy"), flags); err != nil {
			return err
		}
	}
	return b.compare(name, flags[1], flags[3], at("float.tflite"), all)
}

// prepare writes what the quantizers read: the float model and the calibration images. at names a model's file; flags are those
// that say how pixels become its input.
func (b *bench) prepare(path string) (name string, at func(kind string) string, flags []string, err error) {
	name = strings.TrimSuffix(filepath.Base(filepath.Clean(path)), ".tflite")
	at = func(kind string) string { return filepath.Join(b.work, name+"."+kind) }
	float := at("float.tflite")
	if strings.HasSuffix(path, ".tflite") {
		raw, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(float, raw, 0o644)
		}
		if err != nil {
			return "", nil, nil, err
		}
	} else if _, err := timed(b.edge, "convert", "--float32", "-o", float, path); err != nil {
		return "", nil, nil, err
	}
	mean, std, err := b.samples(float, at("npy"))
	return name, at, []string{"--mean", mean, "--std", std}, err
}

// samples writes the calibration images as the float model takes them, (pixel - mean) / std.
func (b *bench) samples(float, to string) (mean, std string, err error) {
	raw, err := os.ReadFile(float)
	if err != nil {
		return "", "", err
	}
	m, err := infer.Load(raw, infer.Given{})
	if err != nil {
		if m, err = infer.Load(raw, keras); err != nil {
			return "", "", err
		}
	}
	if m.Mean != [3]float32{m.Mean[0], m.Mean[0], m.Mean[0]} || m.Std != [3]float32{m.Std[0], m.Std[0], m.Std[0]} {
		return "", "", fmt.Errorf("%s: a normalization that differs by channel is not what quantize.py and evaluate.py take", float)
	}
	s := &b.set.Train
	size := m.Input.Type.Bytes()
	data := make([]byte, s.N*size)
	for i := range s.N {
		if err := m.Preprocess(data[i*size:(i+1)*size], s.Image(i)); err != nil {
			return "", "", err
		}
	}
	text := func(x float32) string { return strconv.FormatFloat(float64(x), 'g', -1, 32) }
	return text(m.Mean[0]), text(m.Std[0]), writeArray(to, "<f4", fmt.Sprintf("(%d, %d, %d, 3)", s.N, s.H, s.W), data)
}

// make runs one quantizer.
func (b *bench) make(m *made, float, samples string, flags []string) error {
	script := filepath.Join(b.scripts, "quantize.py")
	var out string
	var err error
	start := time.Now()
	switch m.by {
	case "mnet-edge", plainOurs:
		if m.by == plainOurs {
			flags = append(slices.Clone(flags), "--calibrator", "minmax", "--equalize", "off", "--correct-bias", "off", "--round-weights", "off")
		}
		args := append([]string{"convert", "--int8", "--eval", "0", "--calib", b.data, "--calib-samples", strconv.Itoa(b.calib), "-o", m.path}, flags...)
		out, err = timed(b.edge, append(args, float)...)
	case "TensorFlow":
		out, err = timed(b.tensorflow, script, "tensorflow", float, samples, m.path)
	default:
		out, err = timed(b.python, script, "litert", float, samples, m.path)
	}
	m.whole = time.Since(start)
	m.work = m.whole
	if err == nil && (m.by == "TensorFlow" || m.by == "LiteRT") {
		var seconds float64
		seconds, err = strconv.ParseFloat(out, 64)
		m.work = time.Duration(seconds * float64(time.Second))
	}
	return err
}

// timed runs a command and gives the last line it prints.
func timed(name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "TF_CPP_MIN_LOG_LEVEL=3")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		tail := stderr.String()
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, tail[max(0, len(tail)-500):])
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], nil
}

// score is what evaluate.py finds of a model under some kernels.
type score struct {
	Path    string  `json:"path"`
	Kernels string  `json:"kernels"`
	Answers []int   `json:"answers"` // the class of each test image
	SNR     float64 `json:"snr_db"`
}

func (b *bench) compare(name, mean, std, float string, all []made) error {
	args := []string{filepath.Join(b.scripts, "evaluate.py"), b.work, mean, std, float}
	for _, m := range all {
		args = append(args, m.path)
	}
	out, err := timed(b.python, args...)
	if err != nil {
		return err
	}
	var scores []score
	if err := json.Unmarshal([]byte(out), &scores); err != nil {
		return err
	}
	labels := make([]int, b.set.Test.N)
	for i, l := range b.set.Test.Labels {
		labels[i] = int(l)
	}
	for _, s := range scores {
		if len(s.Answers) != len(labels) {
			return fmt.Errorf("%s: %d answers to %d images", s.Path, len(s.Answers), len(labels))
		}
	}
	for _, row := range rows(scores, all, labels) {
		fmt.Printf("| %s |\n", strings.Join(append([]string{name}, row...), " | "))
		name = ""
	}
	return nil
}

// columns are those of the table.
var columns = []string{"model", "quantizer", "kernels", "top-1", "drop", "ours against it", "answers as float's", "ours against it", "logits", "size", "time (work alone)"}

// rows are the table's without the first column: the float model, then each quantizer under each kind of kernels. all[0] is ours.
func rows(scores []score, all []made, labels []int) [][]string {
	float := scores[0]
	right := equal(float.Answers, labels)
	table := [][]string{{"float32", "XNNPACK", fmt.Sprintf("%.2f %%", 100*share(right)), "", "", "", "", "", size(float.Path), ""}}
	ours := map[string]score{} // under each kind of kernels
	for _, s := range scores[1:] {
		for _, m := range all {
			if m.path != s.Path {
				continue
			}
			hits, kept := equal(s.Answers, labels), equal(s.Answers, float.Answers)
			var tops, keeps string
			if m.path == all[0].path {
				ours[s.Kernels] = s
			} else {
				o := ours[s.Kernels].Answers
				tops, keeps = pair(equal(o, labels), hits).String(), pair(equal(o, float.Answers), kept).String()
			}
			table = append(table, []string{m.by, s.Kernels, fmt.Sprintf("%.2f %%", 100*share(hits)), pair(right, hits).points(), tops,
				fmt.Sprintf("%.2f %%", 100*share(kept)), keeps, fmt.Sprintf("%.1f dB", s.SNR), size(m.path),
				fmt.Sprintf("%.2f s (%.2f)", m.whole.Seconds(), m.work.Seconds())})
		}
	}
	return table
}

func size(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "?"
	}
	return fmt.Sprintf("%.1f KB", float64(info.Size())/1e3)
}
