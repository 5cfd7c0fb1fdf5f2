package lint_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mnet-edge/internal/golden"
	"mnet-edge/lint"
)

// The table of rules in docs/lint.md is the one in the code; -update writes it.
func TestDocs(t *testing.T) {
	const path, begin = "../docs/lint.md", "<!-- the rules, written by go test ./lint -update -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(page), begin)
	if !ok {
		t.Fatalf("%s: no line %q", path, begin)
	}
	var b strings.Builder
	b.WriteString(head + begin + "\n| rule | breaks it | asks for | source |\n|---|---|---|---|\n")
	for _, r := range lint.Rules() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.ID, r.Severity, r.What, r.Source)
	}
	if *golden.Update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if b.String() != string(page) {
		t.Errorf("%s is not what the rules are: go test ./lint -update", path)
	}
}
