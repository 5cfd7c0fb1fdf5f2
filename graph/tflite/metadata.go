package tflite

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mnet-edge/graph"
)

// Names of Model.metadata entries, and of the file of labels.
const (
	infoEntry    = "TFLITE_METADATA"
	runtimeEntry = "min_runtime_version"
	labelsFile   = "labels.txt"
)

// Bounds of a file of labels: a few hundred bytes of archive can claim millions of lines.
const (
	maxLabels     = 1 << 20 // bytes
	maxLabelLines = 1 << 16
)

// checkMeta reports what a file could not keep.
func checkMeta(g *graph.Graph) error {
	for _, name := range []string{infoEntry, runtimeEntry, ""} {
		if _, ok := g.Meta.Extra[name]; ok {
			return fmt.Errorf("extra entry %q: the name is not free", name)
		}
	}
	if err := checkNormalization(g.Meta.Mean, g.Meta.Std); err != nil {
		return err
	}
	return checkLabels(g.Meta.Labels)
}

func checkNormalization(mean, std []float32) error {
	if len(mean) != len(std) {
		return fmt.Errorf("normalization: %d means and %d standard deviations", len(mean), len(std))
	}
	for i := range mean {
		if m, s := float64(mean[i]), float64(std[i]); math.IsNaN(m-m) || math.IsNaN(s-s) || s == 0 {
			return fmt.Errorf("normalization: mean %v, standard deviation %v", m, s)
		}
	}
	return nil
}

// checkLabels holds labels to what a text file with one a line can keep.
func checkLabels(labels []string) error {
	if len(labels) > maxLabelLines {
		return fmt.Errorf("%d labels: want at most %d", len(labels), maxLabelLines)
	}
	size := 0
	for i, l := range labels {
		if !utf8.ValidString(l) || strings.ContainsFunc(l, unicode.IsControl) {
			return fmt.Errorf("label %d, %q, is not plain text", i, l)
		}
		size += len(l) + 1
	}
	if size > maxLabels {
		return fmt.Errorf("%d bytes of labels: want at most %d", size, maxLabels)
	}
	return nil
}

// info is the ModelMetadata of a file with the graph. given are the names of the file's outputs; kind is what the labels are of.
func info(g *graph.Graph, given []string, kind int8) obj {
	inputs, outputs := []obj{}, []obj{}
	for _, v := range g.Inputs {
		inputs = append(inputs, obj{tinfoName: v.Name})
	}
	for _, name := range given {
		outputs = append(outputs, obj{tinfoName: name})
	}
	m := g.Meta
	if len(m.Mean) > 0 {
		inputs[0] = pixels(g.Inputs[0], m)
	}
	if len(m.Labels) > 0 {
		of := m.LabelsOf
		if of < 0 || of >= len(given) { // that output is no more
			of = 0
		}
		outputs[of] = obj{
			tinfoName:    given[of],
			tinfoContent: obj{contentType: contentFeature, contentValue: obj{}},
			tinfoFiles:   []obj{{fileName: labelsFile, fileType: kind}},
		}
	}
	return obj{
		infoName: g.Name, infoDescription: m.Description, infoVersion: m.Version, infoAuthor: m.Author, infoLicense: m.License,
		infoSubgraphs: []obj{{subinfoInputs: inputs, subinfoOutputs: outputs}},
		infoMinParser: "1.0.0", // the schema had every field used here from its first release on
	}
}

// pixels is the TensorMetadata of an input that takes (pixel - Mean) / Std: what kind of image, and the normalized
// values of pixels 0 and 255.
func pixels(v *graph.Value, m graph.Meta) obj {
	lo, hi := make([]float32, len(m.Mean)), make([]float32, len(m.Mean))
	for i, mean := range m.Mean {
		a, b := (0-mean)/m.Std[i], (255-mean)/m.Std[i]
		lo[i], hi[i] = min(a, b), max(a, b)
	}
	o := obj{
		tinfoName:    v.Name,
		tinfoProcess: []obj{{processType: processNormalize, processValue: obj{m.Mean, m.Std}}},
		tinfoStats:   obj{statsMax: hi, statsMin: lo},
	}
	if s := v.Type.Shape; len(s) == 4 && (s[3] == 1 || s[3] == 3) {
		color := imageRGB
		if s[3] == 1 {
			color = imageGray
		}
		image := obj{imageColor: color, imageSize: obj{uint32(s[2]), uint32(s[1])}}
		o[tinfoContent] = obj{contentType: contentImage, contentValue: image}
	}
	return o
}

// appendLabels adds a ZIP archive with the labels behind the model. Its offsets count from the start of the file, so
// that the whole is an archive to a reader that starts at the end.
func appendLabels(model []byte, labels []string) ([]byte, error) {
	if len(labels) == 0 {
		return model, nil
	}
	text := []byte(strings.Join(labels, "\n") + "\n")
	b := bytes.NewBuffer(model)
	z := zip.NewWriter(b)
	z.SetOffset(int64(len(model)))
	// Raw, since CreateHeader puts sizes behind the data, where a reader of the local header alone can't find them.
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: labelsFile, Method: zip.Store, CRC32: crc32.ChecksumIEEE(text),
		CompressedSize64: uint64(len(text)), UncompressedSize64: uint64(len(text)),
	})
	if err == nil {
		_, err = w.Write(text)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("tflite: labels: %w", err)
	}
	return b.Bytes(), nil
}

// meta reads the model's entries, its metadata and its labels.
func (d *decoder) meta(g *graph.Graph, model table) error {
	g.Meta.Description = model.string(modelDescription)
	seen := map[string]bool{}
	for _, entry := range model.tables(modelMetadata) {
		name := entry.string(entryName)
		data, err := d.buffer(entry.uint32(entryBuffer))
		if err != nil {
			return fmt.Errorf("metadata %q: %w", name, err)
		}
		if name == "" || seen[name] {
			return fmt.Errorf("metadata %q has no name of its own", name)
		}
		seen[name] = true
		switch name {
		case runtimeEntry: // follows from the operators, but for a tail's
			if d.tail != nil {
				d.tail.runtime = string(bytes.TrimRight(data[:min(len(data), 16)], "\x00"))
			}
		case infoEntry:
			if err := d.info(g, data); err != nil {
				return fmt.Errorf("metadata %q: %w", name, err)
			}
		default:
			if g.Meta.Extra == nil {
				g.Meta.Extra = map[string][]byte{}
			}
			g.Meta.Extra[name] = bytes.Clone(data)
		}
	}
	return d.f.err
}

func (d *decoder) info(g *graph.Graph, data []byte) error {
	f, m := open(data, metadataID)
	if name := m.string(infoName); name != "" {
		g.Name = name
	}
	g.Meta.Description = cmp.Or(m.string(infoDescription), g.Meta.Description)
	g.Meta.Version, g.Meta.Author, g.Meta.License = m.string(infoVersion), m.string(infoAuthor), m.string(infoLicense)
	labels := ""
	for _, sub := range m.tables(infoSubgraphs) {
		for _, in := range sub.tables(subinfoInputs) {
			for _, p := range in.tables(tinfoProcess) {
				if p.uint8(processType) == processNormalize && g.Meta.Mean == nil {
					n := p.table(processValue)
					g.Meta.Mean, g.Meta.Std = n.float32s(0), n.float32s(1)
				}
			}
		}
		for of, out := range sub.tables(subinfoOutputs) {
			for _, a := range out.tables(tinfoFiles) {
				if t := a.int8(fileType); labels == "" && (t == fileAxisLabels || t == fileValueLabels) {
					labels, g.Meta.LabelsOf = a.string(fileName), of
					if d.tail != nil {
						d.tail.labels = t
					}
				}
			}
		}
	}
	if f.err != nil {
		return f.err
	}
	if err := checkNormalization(g.Meta.Mean, g.Meta.Std); err != nil || labels == "" {
		return err
	}
	var err error
	if g.Meta.Labels, err = readLabels(d.f.b, labels); err != nil {
		return fmt.Errorf("%s: %w", labels, err)
	}
	return checkLabels(g.Meta.Labels)
}

// readLabels takes the lines of a file in the archive at the end of the model.
func readLabels(model []byte, name string) ([]string, error) {
	z, err := zip.NewReader(bytes.NewReader(model), int64(len(model)))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil, errors.New("not in the archive behind the model")
	}
	size := z.File[i].UncompressedSize64 // the reader holds the archive to it
	if size > maxLabels {
		return nil, fmt.Errorf("more than %d bytes", maxLabels)
	}
	r, err := z.File[i].Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF { // more than was claimed, or another checksum
		return nil, cmp.Or(err, zip.ErrFormat)
	}
	if len(text) == 0 {
		return nil, nil
	}
	if n := bytes.Count(text, []byte("\n")); n > maxLabelLines {
		return nil, fmt.Errorf("%d lines: want at most %d", n, maxLabelLines)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	return lines, nil
}
