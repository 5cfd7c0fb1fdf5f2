package tflite

import (
	"archive/zip"
	"bytes"
	"slices"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
)

// Each target starts from whole models, which its function adds, and from the stored inputs in testdata/fuzz: known shapes of
// attack on the smallest model there is, each in a file that is named after it.

func FuzzDecode(f *testing.F) {
	for _, m := range seeds(f) {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, b []byte) { survives(t, b) })
}

// FuzzMetadata spoils what describes a model: the metadata's own flatbuffer, and the archive behind the model that has the
// labels. The network itself is whole. Labels and normalization come through as a file can keep them, or not at all.
func FuzzMetadata(f *testing.F) {
	g := tinyNet()
	labels, err := appendLabels(nil, g.Meta.Labels)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(finish(infoOf(g), metadataID, 0), labels)
	f.Add(finish(infoOf(g), metadataID, 0), []byte{})
	f.Add(finish(infoOf(int8Net()), metadataID, 0), labels)
	f.Fuzz(func(t *testing.T, metadata, archive []byte) {
		b := describedBy(t, metadata, archive)
		if !survives(t, b) {
			return
		}
		g, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkMeta(g); err != nil {
			t.Fatal(err)
		}
	})
}

// infoOf is the metadata of a file with the graph.
func infoOf(g *graph.Graph) obj {
	var names []string
	for _, v := range g.Outputs {
		names = append(names, v.Name)
	}
	return info(g, names, fileAxisLabels)
}

// tinyNet is one convolution and a file's worth of metadata.
func tinyNet() *graph.Graph {
	g := graph.New("tiny")
	g.Level = graph.Folded
	x := g.Input("x", graphtest.Floats(1, 2, 2, 1))
	w := graph.Const("w", graphtest.Floats(2, 1, 1, 1), []float32{1, 2})
	b := graph.Const("b", graphtest.Floats(2), []float32{3, 4})
	g.Outputs = []*graph.Value{g.Apply("y", graph.Conv2D{Window: graph.Dense(1, graph.Same)}, x, w, b)}
	g.Meta = graph.Meta{Labels: []string{"a", "b"}, Mean: []float32{128}, Std: []float32{64}}
	return g
}

// describedBy is tinyNet's model with other metadata, and an archive behind it.
func describedBy(t testing.TB, metadata, archive []byte) []byte {
	t.Helper()
	p := taken(t, tinyNet())
	entry := p.model[modelMetadata].([]obj)[1]
	p.buffers[entry[entryBuffer].(uint32)][bufferData] = blob(metadata)
	model := finish(p.model, modelID, 0)
	return slices.Concat(model, moved(archive, len(model)))
}

// moved is an archive whose offsets count from the start of the file that it stands behind; what is no archive stays as it is.
func moved(archive []byte, by int) []byte {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return archive
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.SetOffset(int64(by))
	for _, f := range z.File {
		if w.Copy(f) != nil {
			return archive
		}
	}
	if w.Close() != nil {
		return archive
	}
	return b.Bytes()
}
