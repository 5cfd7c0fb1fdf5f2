package interptest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder is read whole, and refused if any of it is of another model or of other inputs.
func TestRead(t *testing.T) {
	const from = "../testdata/vectors/small"
	if v, err := Read(from); err != nil || v.Name != "small" || len(v.Results) != 2 || len(v.Inputs) != len(v.Results[0].Images) {
		t.Fatalf("%+v, error %v", v, err)
	}
	for _, test := range []struct{ file, old, new, want string }{
		{"ref.json", `"inputs_sha256": "`, `"inputs_sha256": "0`, "other inputs"},
		{"xnnpack.json", `"model_sha256": "`, `"model_sha256": "0`, "another model"},
		{"xnnpack.json", `"kernels"`, `"kernel"`, "unknown field"},
		{"xnnpack.json", `"xnnpack"`, `"ref"`, "other kernels"},
		{"inputs.bin.gz", "", "", "EOF"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, test.file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if test.old == "" {
			b = b[:len(b)/2]
		}
		if err := os.WriteFile(path, bytes.Replace(b, []byte(test.old), []byte(test.new), 1), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s with %s for %s: %v, want %q", test.file, test.new, test.old, err, test.want)
		}
	}
}
