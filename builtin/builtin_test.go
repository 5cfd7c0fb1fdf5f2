package builtin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mnet-edge/builtin"
	"mnet-edge/convert"
	"mnet-edge/infer"
)

// The model is what the documentation of this package says, and the card in it names the same classes in the same order.
func TestModel(t *testing.T) {
	m, err := infer.Load(builtin.Model, infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(m.Input.Type.DType, m.Input.Type.Shape, m.Output.Type.DType, m.Output.Type.Shape); got != "int8 [1 32 32 3] int8 [1 10]" {
		t.Errorf("input and output are %s", got)
	}
	want := []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
	if !slices.Equal(m.Labels, want) {
		t.Errorf("labels are %v", m.Labels)
	}
	record, err := convert.RecordOf(m.Graph)
	if err != nil || record == nil {
		t.Fatal("no record of a conversion", err)
	}
	for i, name := range m.Labels {
		if !strings.Contains(record.Card, fmt.Sprintf("%d. %s\n", i, name)) {
			t.Errorf("the card does not give %s the number %d", name, i)
		}
	}
}
