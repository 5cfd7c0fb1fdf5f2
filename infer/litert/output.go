//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

var redirecting sync.Mutex

// captured runs f with the process's standard output and error going to a file, and returns what was written there.
// LiteRT's C API gives no reasons: it prints them, and it prints to standard output too, where the results of a command
// go. What other goroutines write meanwhile is lost.
func captured(f func()) string {
	redirecting.Lock()
	defer redirecting.Unlock()
	file, err := os.CreateTemp("", "litert-*.log")
	if err != nil {
		f()
		return ""
	}
	defer file.Close()
	os.Remove(file.Name())
	var saved [2]int
	for i, fd := range []int{1, 2} {
		if saved[i], err = syscall.Dup(fd); err != nil {
			saved[i] = -1
			continue
		}
		_ = syscall.Dup3(int(file.Fd()), fd, 0)
	}
	f()
	for i, fd := range []int{1, 2} {
		if saved[i] >= 0 {
			_ = syscall.Dup3(saved[i], fd, 0)
			syscall.Close(saved[i])
		}
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(file, 1<<20))
	if err != nil {
		return ""
	}
	return string(text)
}

var (
	errorLine = regexp.MustCompile(`(?m)^(?:ERROR: |E\d{4} )(.*)$`)
	where     = regexp.MustCompile(`^.*?\[?[\w./]+\.(?:cc|h):\d+\]:? *`)
	adapter   = regexp.MustCompile(`Selected adapter: ([^,\n]+(?:, [a-zA-Z]+=[^,\n]+)*)`)
)

// reason is the first error of a log, without the place in LiteRT's source; "" if there is none.
func reason(log string) string {
	if m := errorLine.FindStringSubmatch(log); m != nil {
		return strings.TrimSpace(where.ReplaceAllString(m[1], ""))
	}
	return ""
}

// adapterIn is the GPU that the log says was selected: "SwiftShader Device (Subzero), ..., backend=Vulkan, ...".
func adapterIn(log string) string {
	if m := adapter.FindStringSubmatch(log); m != nil {
		return m[1]
	}
	return ""
}
