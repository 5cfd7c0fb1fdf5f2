package tflite_test

import (
	"bytes"
	"os"
	"testing"

	"mnet-edge/graph/tflite"
)

func TestRoundTrip(t *testing.T) {
	for name, g := range nets(t) {
		t.Run(name, func(t *testing.T) {
			b, err := tflite.Encode(g)
			if err != nil {
				t.Fatal(err)
			}
			if dir := os.Getenv("DUMP"); dir != "" {
				os.WriteFile(dir+"/"+name+".tflite", b, 0o644)
			}
			back, err := tflite.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := back.String(), g.String(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			again, err := tflite.Encode(back)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("encoding what was decoded gives other bytes (%v)", err)
			}
		})
	}
}
