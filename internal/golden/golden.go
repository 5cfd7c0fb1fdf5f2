// Package golden compares what tests make with files that were read once and found right.
package golden

import (
	"flag"
	"os"
	"strings"
	"testing"
)

// Update is the flag -update: files are written anew, for someone to read the difference.
var Update = flag.Bool("update", false, "write golden files anew")

// Compare reports the first line in which got is not what the file at path has.
func Compare(t *testing.T, path, got string) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	is, was := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	i := 0
	for i < min(len(is), len(was))-1 && is[i] == was[i] {
		i++
	}
	t.Errorf("%s:%d: got %q, want %q; go test with -update, and read the difference", path, i+1, is[i], was[i])
}
