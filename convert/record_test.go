package convert

import (
	"errors"
	"reflect"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
)

// What a record says comes back out of the file; what is no record is refused.
func TestRecord(t *testing.T) {
	res := convertTo(t, checkpoint(nil), plain)
	want := Record{Recipe: res.Recipe, Samples: &Samples{Data: "toys", Count: 8, Of: 100, SHA256: "ab"}, Card: "# A <card>\n"}
	if err := want.Attach(res.Graph); err != nil {
		t.Fatal(err)
	}
	b, err := tflite.Encode(res.Graph)
	if err != nil {
		t.Fatal(err)
	}
	g, err := tflite.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := RecordOf(g)
	want.Version = 1
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got, err := RecordOf(graph.New("bare")); got != nil || err != nil {
		t.Errorf("of a bare graph: %v, %v", got, err)
	}
	for _, text := range []string{"", "{", `{"version":0}`, `{"version":2}`, `{"version":1,"recipe":{"scheme":"int9"}}`} {
		if _, err := ParseRecord([]byte(text)); !errors.Is(err, ErrRecord) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"version":1,"recipe":{"scheme":"int8","float_io":false,"per_tensor":false,"observer":"mse"},"samples":{"count":-1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRecord(b); (r == nil) == (err == nil) || err != nil && !errors.Is(err, ErrRecord) {
			t.Errorf("%v, %v", r, err)
		}
	})
}
