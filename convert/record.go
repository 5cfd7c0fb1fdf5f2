package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"mnet-edge/graph"
)

// RecordEntry is the name of the metadata entry that holds a Record.
const RecordEntry = "MNET_EDGE_CONVERSION"

// recordVersion is the format's: a reader takes its own and those before.
const recordVersion = 1

// Record says how a model was made. It travels inside the file, so that who has the same network and images can make the
// same bytes again.
type Record struct {
	Version int      `json:"version"`
	Recipe  Recipe   `json:"recipe"`
	Samples *Samples `json:"samples,omitempty"` // nil where the scheme needs none
	Card    string   `json:"card,omitempty"`    // the model card, Markdown
}

// Samples says which images a conversion looked at: Count of the Of images that the training part of a set has, the middles
// of Count equal stretches.
type Samples struct {
	Data   string `json:"data"`   // the set's name
	Count  int    `json:"count"`  //
	Of     int    `json:"of"`     //
	SHA256 string `json:"sha256"` // of their pixels, (Count, H, W, 3)
}

// ErrRecord marks a record that can't be read.
var ErrRecord = errors.New("record of the conversion")

// Attach puts the record into the graph's metadata.
func (r Record) Attach(g *graph.Graph) error {
	r.Version = recordVersion
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("convert: %w: %w", ErrRecord, err)
	}
	if g.Meta.Extra == nil {
		g.Meta.Extra = map[string][]byte{}
	}
	g.Meta.Extra[RecordEntry] = bytes.TrimSpace(b.Bytes())
	return nil
}

// RecordOf is the record in a graph's metadata, nil where it has none.
func RecordOf(g *graph.Graph) (*Record, error) {
	b, ok := g.Meta.Extra[RecordEntry]
	if !ok {
		return nil, nil
	}
	return ParseRecord(b)
}

// ParseRecord reads a record.
func ParseRecord(b []byte) (*Record, error) {
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("convert: %w: %w", ErrRecord, err)
	}
	if r.Version < 1 || r.Version > recordVersion {
		return nil, fmt.Errorf("convert: %w: version %d, known are 1 to %d", ErrRecord, r.Version, recordVersion)
	}
	if err := r.Recipe.Check(); err != nil {
		return nil, fmt.Errorf("convert: %w: %w", ErrRecord, err)
	}
	return &r, nil
}
