//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"io"
	"os"
	"regexp"
	"runtime/debug"
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
	elsewhere(file, f)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(file, 1<<20))
	if err != nil {
		return ""
	}
	return string(text)
}

// elsewhere runs f with the process's standard output and error going to a file, but for what Go says of a crash.
func elsewhere(file *os.File, f func()) {
	for _, fd := range []int{1, 2} {
		copied, err := syscall.Dup(fd)
		if err != nil {
			continue
		}
		own := os.NewFile(uintptr(copied), "")
		defer func() {
			_ = syscall.Dup3(copied, fd, 0)
			own.Close()
		}()
		if fd == 2 && debug.SetCrashOutput(own, debug.CrashOptions{}) == nil {
			defer debug.SetCrashOutput(nil, debug.CrashOptions{})
		}
		_ = syscall.Dup3(int(file.Fd()), fd, 0)
	}
	f()
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
