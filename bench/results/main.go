// Command results keeps the tables of docs/results.md that are made of training runs. A run's figures lie in docs/runs, one
// file each, copied from its folder by -add; the tables are written anew from them, between the marks in the document:
//
//	results -add runs/D-w0.5-001,runs/D-w0.25-003   # then look at the difference, and commit it
//	results                                         # the tables alone
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"mnet-edge/atomicfile"
	"mnet-edge/train"
)

const (
	document = "docs/results.md"
	folder   = "docs/runs"
)

// run is one file of docs/runs.
type run struct {
	Record train.Record `json:"record"`
	Result train.Result `json:"result"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("results: ")
	add := flag.String("add", "", "comma-separated `FOLDERS` of finished runs whose figures to keep")
	flag.Parse()
	if err := results(*add); err != nil {
		log.Fatal(err)
	}
}

func results(add string) error {
	for _, dir := range strings.FieldsFunc(add, func(r rune) bool { return r == ',' }) {
		if err := keep(dir); err != nil {
			return err
		}
	}
	runs, err := load()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	out, err := written(string(text), runs)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(document, []byte(out))
}

// written is the document with the tables of these runs.
func written(out string, runs []run) (_ string, err error) {
	for mark, table := range map[string]string{"source table": sourceTable(runs), "intermediate ReLU": midReLU(runs), "recipes": recipes(runs), "teachers": teachers(runs)} {
		if out, err = between(out, mark, table); err != nil {
			return "", err
		}
	}
	return out, nil
}

// keep copies a finished run's figures to docs/runs. Of its command line, folders and files keep only their last name.
func keep(dir string) error {
	record, err := train.LoadRecord(dir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		return fmt.Errorf("%w (is the run finished?)", err)
	}
	r := run{Record: record}
	if err := json.Unmarshal(text, &r.Result); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	names := []*string{&r.Record.Config.Data, &r.Record.Out, &r.Record.QAT, &r.Record.From, &r.Result.Run}
	for _, several := range [][]string{r.Record.Teachers, r.Record.Args} {
		for i := range several {
			names = append(names, &several[i])
		}
	}
	for _, s := range names {
		*s = lastName(*s)
	}
	r.Record.Device = paths.ReplaceAllStringFunc(r.Record.Device, filepath.Base)
	out, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(folder, key(r).file(record.Seed)+".json")
	if there, err := read(file); err == nil && !alike(there, r) {
		return fmt.Errorf("%s is a run by another recipe of the same name: give this one a name of its own", file)
	}
	return atomicfile.WriteFile(file, append(out, '\n'))
}

// paths are absolute ones in a text.
var paths = regexp.MustCompile(`/[^ ():]+/[^ ():]+`)

func lastName(path string) string {
	if flag, value, ok := strings.Cut(path, "="); ok && strings.HasPrefix(flag, "-") {
		return flag + "=" + lastName(value)
	}
	if filepath.IsAbs(path) || strings.ContainsRune(path, filepath.Separator) {
		return filepath.Base(path)
	}
	return path
}

// load reads docs/runs, in the order of their names.
func load() ([]run, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	sort.Strings(files)
	var runs []run
	for _, f := range files {
		r, err := read(f)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, nil
}

// read reads one of them.
func read(file string) (r run, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// between replaces what stands between the lines <!-- mark --> and <!-- end of mark -->.
func between(text, mark, table string) (string, error) {
	begin, end := "<!-- "+mark+" -->\n", "<!-- end of "+mark+" -->\n"
	head, rest, ok := strings.Cut(text, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("%s lacks the marks of %q", document, mark)
	}
	return head + begin + "\n" + table + "\n" + end + tail, nil
}
