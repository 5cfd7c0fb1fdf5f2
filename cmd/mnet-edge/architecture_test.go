package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The import table of docs/architecture.md is held to the code: every import that is not the standard library's must
// be named in the package's row, every package must have a row, and a row names nothing that its package does not import.
func TestImportTable(t *testing.T) {
	allowed := importTable(t, "../../docs/architecture.md")
	used := map[[2]string]bool{} // package and name
	for _, build := range []struct {
		tags        string
		environment []string
	}{{"", []string{"CGO_ENABLED=1"}}, {"tflite", []string{"CGO_ENABLED=1"}}, {"", []string{"CGO_ENABLED=0", "GOOS=windows"}}} {
		cmd := exec.Command("go", "list", "-tags", build.tags, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "mnet-edge/...")
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), build.environment...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for line := range strings.Lines(string(out)) {
			fields := strings.Fields(line)
			pkg := strings.TrimPrefix(fields[0], "mnet-edge/")
			if internalTool(pkg) {
				continue
			}
			names, ok := allowed[pkg]
			if !ok {
				t.Errorf("package %s has no row in the import table", pkg)
				continue
			}
			for _, imp := range fields[1:] {
				if standard(imp) {
					continue
				}
				i := slices.IndexFunc(names, func(n string) bool { return allows(n, imp) })
				if i < 0 {
					t.Errorf("%s imports %s, which its row does not allow (%v)", pkg, imp, names)
					continue
				}
				used[[2]string{pkg, names[i]}] = true
			}
		}
	}
	for pkg, names := range allowed {
		for _, n := range names {
			if !used[[2]string{pkg, n}] {
				t.Errorf("the row of %s has %s, which it does not import", pkg, n)
			}
		}
	}
}

// The comment of a package that lists files is a map of it: every file that is no test has its place there, and what it
// lists is there.
func TestPackageMaps(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", "{{.Dir}}", "mnet-edge/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	item, name := regexp.MustCompile(`(?m)^//\t.*\.go\b.*$`), regexp.MustCompile(`[\w*]+\.go\b`)
	maps := 0
	for _, dir := range strings.Fields(string(out)) {
		files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		var listed, present, all []string // all: tests too
		for _, f := range files {
			base := filepath.Base(f)
			all = append(all, base)
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			comment, _, isDoc := strings.Cut(string(src), "\npackage ")
			if isDoc && regexp.MustCompile(`(?m)^// (Package|Command) `).MatchString(comment) {
				for _, line := range item.FindAllString(comment, -1) {
					listed = append(listed, name.FindAllString(line, -1)...)
				}
			}
			if base != "doc.go" {
				present = append(present, base)
			}
		}
		if len(listed) < 3 {
			continue // mentions of a file, no map
		}
		maps++
		match := func(pattern, file string) bool { ok, _ := filepath.Match(pattern, file); return ok }
		for _, f := range present {
			if !slices.ContainsFunc(listed, func(p string) bool { return match(p, f) }) {
				t.Errorf("%s: its comment has no place for %s", dir, f)
			}
		}
		for _, p := range listed {
			if !slices.ContainsFunc(all, func(f string) bool { return match(p, f) }) {
				t.Errorf("%s: its comment lists %s, which is not there", dir, p)
			}
		}
	}
	if maps < 5 {
		t.Errorf("%d packages with a map", maps)
	}
}

// internalTool: generators and benchmarks are programs of their own, free in what they use.
func internalTool(pkg string) bool {
	return strings.HasPrefix(pkg, "bench") || strings.Contains(pkg, "/internal/gen")
}

func standard(imp string) bool {
	return imp == "C" || !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") && !strings.HasPrefix(imp, "mnet-edge")
}

// allows says whether a name of a row stands for an import.
func allows(name, imp string) bool {
	if inside, ours := strings.CutPrefix(imp, "mnet-edge/"); ours {
		return name == inside || name == "anything here"
	}
	return strings.Contains(imp, name)
}

// importTable reads the rows whose first cell is a package in back quotes.
func importTable(t *testing.T, path string) map[string][]string {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	row := regexp.MustCompile("^\\| `([a-z/-]+)` \\| ([^|]*) \\|")
	table := map[string][]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if m := row.FindStringSubmatch(s.Text()); m != nil {
			table[m[1]] = nil
			for _, n := range strings.Split(m[2], ",") {
				if n = strings.TrimSpace(n); n != "–" {
					table[m[1]] = append(table[m[1]], n)
				}
			}
		}
	}
	if len(table) < 10 {
		t.Fatalf("%s: found %d rows", path, len(table))
	}
	return table
}
