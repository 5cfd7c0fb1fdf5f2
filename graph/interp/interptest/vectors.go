// Package interptest reads what the official TFLite runtime computed from models, tensor by tensor: the vectors that
// graph/interp and every engine with its bits are held to. graph/interp/testdata/vectors.py describes and makes them.
package interptest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/quant"
)

// Vectors are a model, inputs and what became of them.
type Vectors struct {
	Name    string
	Graph   *graph.Graph
	Inputs  [][]byte // each a tensor's elements, little-endian
	Results []Results
}

// Results are the tensors by one kind of the runtime's kernels.
type Results struct {
	Rounding quant.Rounding `json:"-"` // the kind's: Double is TFLite's reference kernels, Float32 XNNPACK
	Kernels  string         `json:"kernels"`
	Runtime  string         `json:"runtime"`
	Model    string         `json:"model_sha256"`
	Inputs   string         `json:"inputs_sha256"`
	Tensors  []string       `json:"tensors"` // names: the input's, then each operator's result's
	Left     []string       `json:"left"`    // those that XNNPACK left to TFLite's own kernels
	Images   []struct {
		Sums   []string  `json:"sums"`   // of each tensor: see Sum
		Output []float64 `json:"output"` // of the model
	} `json:"images"`
}

// Read reads a folder that vectors.py made. Results by XNNPACK may be missing: not all its arithmetic is followed.
func Read(dir string) (*Vectors, error) {
	v := &Vectors{Name: filepath.Base(dir)}
	if err := v.read(dir); err != nil {
		return nil, fmt.Errorf("vectors %s: %w", v.Name, err)
	}
	return v, nil
}

func (v *Vectors) read(dir string) error {
	model, err := os.ReadFile(filepath.Join(dir, "model.tflite"))
	if err != nil {
		return err
	}
	if v.Graph, err = tflite.Decode(model); err != nil {
		return err
	}
	inputs, err := unzip(filepath.Join(dir, "inputs.bin.gz"))
	if err != nil {
		return err
	}
	size := v.Graph.Inputs[0].Type.Bytes()
	for rest := inputs; len(rest) >= size; rest = rest[size:] {
		v.Inputs = append(v.Inputs, rest[:size])
	}
	for _, kind := range []Results{{Kernels: "ref", Rounding: quant.Double}, {Kernels: "xnnpack", Rounding: quant.Float32}} {
		text, err := os.ReadFile(filepath.Join(dir, kind.Kernels+".json"))
		if errors.Is(err, fs.ErrNotExist) && kind.Rounding == quant.Float32 {
			continue
		} else if err != nil {
			return err
		}
		r := Results{Rounding: kind.Rounding}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			return fmt.Errorf("%s.json: %w", kind.Kernels, err)
		}
		if r.Kernels != kind.Kernels || r.Model != sum(model) || r.Inputs != sum(inputs) {
			return fmt.Errorf("%s.json is of other kernels, another model or other inputs", kind.Kernels)
		}
		if len(r.Images) == 0 || len(inputs) != len(r.Images)*size {
			return fmt.Errorf("%s.json: %d images, and %d bytes of inputs of %d each", kind.Kernels, len(r.Images), len(inputs), size)
		}
		v.Results = append(v.Results, r)
	}
	return nil
}

// Sum is the beginning of the SHA-256 of a tensor's elements, little-endian, in hexadecimal digits.
func Sum(tensor []byte) string { return sum(tensor)[:16] }

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func unzip(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
