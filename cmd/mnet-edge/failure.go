package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// failure is what a command that fails prints under --json, in place of its result.
type failure struct {
	Error failureDetail `json:"error"`
}

type failureDetail struct {
	Code    int    `json:"code"` // the exit code
	Message string `json:"message"`
	Hint    string `json:"hint"` // what to type next; "" if there is nothing to say
}

// fail says what went wrong in one line on stderr, with a hint where there is one, and, under --json, as an object on
// stdout. It returns the exit code.
func fail(err error, args []string, stdout, stderr io.Writer) int {
	var remote remoteExit
	if errors.As(err, &remote) { // the other machine has said it
		return int(remote)
	}
	f := failureDetail{Code: exitCode(err), Message: oneLine(err), Hint: plain(hintFor(err))}
	fmt.Fprintf(stderr, "mnet-edge: %s\n", f.Message)
	if f.Hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", f.Hint)
	}
	if wantsJSON(args) {
		_ = writeJSON(stdout, failure{f}) // stderr has the error; the exit code stays its own
	}
	return f.Code
}

// wantsJSON looks at the arguments themselves, since they may be what is wrong.
func wantsJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.ContainsFunc(args, func(a string) bool {
		return slices.Contains([]string{"--json", "-json", "--json=true", "-json=true"}, a)
	})
}
