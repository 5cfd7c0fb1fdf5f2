package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"text/tabwriter"

	"mnet-edge/dataset"
	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// images is the number of pictures that tensors are compared for.
const images = 64

// tensors prints, of each model's operators, which results of LiteRT's XNNPACK graph/interp does not have to the bit when
// it is given what XNNPACK gave the operator, so that a difference shows where it arises and not downstream. That the
// native engine has graph/interp's is what its own tests show.
func tensors(dir string, models []namedModel, python, archive string) error {
	if python == "" {
		return errors.New("-tensors needs -python")
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, m := range models {
		b, err := os.ReadFile(m.file)
		if err != nil {
			return err
		}
		g, err := infer.Decode(b)
		if err != nil {
			return err
		}
		in, err := pictures(g.Inputs[0].Type, archive)
		if err != nil {
			return err
		}
		got, err := allTensors(dir, python, g, in)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := differences(w, m.name, g, in, got); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return w.Flush()
}

// pictures are test images as inputs of type t, one after the other: the integer furthest down is black, that furthest up
// white, the real numbers for them 0 and 1.
func pictures(t graph.Type, archive string) ([]byte, error) {
	if len(t.Shape) != 4 || t.Shape[0] != 1 || t.Shape[1] != t.Shape[2] || t.Shape[3] != 3 {
		return nil, fmt.Errorf("an input of %v: want a square image of three channels", t)
	}
	set, err := dataset.Open(context.Background(), archive, dataset.Options{Size: t.Shape[1]})
	if err != nil {
		return nil, err
	}
	split := set.Test.Limit(images)
	var in []byte
	for i := range split.N {
		for _, pixel := range split.Image(i) {
			switch t.DType {
			case graph.Float32:
				in = binary.LittleEndian.AppendUint32(in, math.Float32bits(float32(pixel)/255))
			case graph.Int8:
				in = append(in, pixel^0x80)
			default:
				in = append(in, pixel)
			}
		}
	}
	return in, nil
}

// allTensors are the bytes of every node's result by LiteRT, of each input.
func allTensors(dir, python string, g *graph.Graph, in []byte) ([]byte, error) {
	last := g.Outputs
	defer func() { g.Outputs = last }()
	g.Outputs = nil
	for _, n := range g.Nodes {
		g.Outputs = append(g.Outputs, n.Out)
	}
	model, err := tflite.Encode(g)
	if err != nil {
		return nil, err
	}
	_, source, _, _ := runtime.Caller(0)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("all.tflite"), model, 0o644), os.WriteFile(at("images.bin"), in, 0o644)); err != nil {
		return nil, err
	}
	cmd := exec.Command(python, filepath.Join(filepath.Dir(source), "tensors.py"), at("all.tflite"), at("images.bin"), at("tensors.bin"))
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("tensors.py: %w\n%s", err, msg)
	}
	return os.ReadFile(at("tensors.bin"))
}

// differences prints a line for each operator whose results differ, or that none do.
func differences(w *tabwriter.Writer, name string, g *graph.Graph, in, got []byte) error {
	size := g.Inputs[0].Type.Bytes()
	values := []*graph.Value{g.Inputs[0]}
	perImage := 0
	for _, n := range g.Nodes {
		values = append(values, n.Out)
		perImage += n.Out.Type.Bytes()
	}
	if len(got) != len(in)/size*perImage {
		return fmt.Errorf("%d bytes of tensors, want %d", len(got), len(in)/size*perImage)
	}
	machines := make([]*interp.Machine, len(g.Nodes))
	for i, n := range g.Nodes {
		var err error
		if machines[i], err = alone(n); err != nil {
			return err
		}
	}
	differ, most := make([]int, len(g.Nodes)), make([]float64, len(g.Nodes))
	for len(in) > 0 {
		known := map[*graph.Value]any{}
		for i, v := range values {
			from := &got
			if i == 0 {
				from = &in
			}
			var err error
			if known[v], err = infer.ElementsOf(v.Type, (*from)[:v.Type.Bytes()]); err != nil {
				return err
			}
			*from = (*from)[v.Type.Bytes():]
		}
		for i, n := range g.Nodes {
			var data []any
			for _, v := range n.In {
				if !v.Constant() {
					data = append(data, known[v])
				}
			}
			result, err := machines[i].Run(data...)
			if err != nil {
				return err
			}
			count, largest := distance(result[0], known[n.Out])
			differ[i] += count
			most[i] = max(most[i], largest)
		}
	}
	equal := true
	for i, n := range g.Nodes {
		if differ[i] > 0 {
			equal = false
			fmt.Fprintf(w, "%s\t%s %q\t%d of %d elements of %d images differ\tat most by %g\n",
				name, n.Op.Name(), n.Out.Name, differ[i], n.Out.Type.Elements()*images, images, most[i])
		}
	}
	if equal {
		fmt.Fprintf(w, "%s\tall %d operators\tequal for %d images\t\n", name, len(g.Nodes), images)
	}
	return nil
}

// alone is a machine for one node, whose inputs are those of the node that are not constants.
func alone(n *graph.Node) (*interp.Machine, error) {
	one := graph.New(n.Out.Name)
	one.Level = graph.Quantized
	in := make([]*graph.Value, len(n.In))
	for i, v := range n.In {
		if in[i] = v; !v.Constant() {
			in[i] = one.Input(v.Name, v.Type)
		} else {
			in[i] = graph.Const(v.Name, v.Type, v.Data)
		}
	}
	y := one.Apply(n.Out.Name, n.Op, in...)
	y.Type = n.Out.Type
	one.Outputs = []*graph.Value{y}
	return interp.New(one, interp.Options{Rounding: quant.Float32})
}

// distance is how many elements of two slices differ, and the largest difference.
func distance(a, b any) (count int, most float64) {
	switch a := a.(type) {
	case []float32:
		return apartBy(a, b.([]float32))
	case []int8:
		return apartBy(a, b.([]int8))
	case []int16:
		return apartBy(a, b.([]int16))
	}
	return apartBy(a.([]uint8), b.([]uint8))
}

func apartBy[T float32 | int8 | int16 | uint8](a, b []T) (count int, most float64) {
	for i := range a {
		if a[i] != b[i] {
			count++
			most = max(most, math.Abs(float64(a[i])-float64(b[i])))
		}
	}
	return count, most
}
