package clock

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	kernel  = windows.NewLazySystemDLL("kernel32.dll")
	counter = kernel.NewProc("QueryPerformanceCounter")
	second  = ask(kernel.NewProc("QueryPerformanceFrequency")) // in counts
)

// ask calls one of the two functions, which give an int64 and, by Windows' documentation, never fail since Windows XP.
func ask(function *windows.LazyProc) (n int64) {
	syscall.SyscallN(function.Addr(), uintptr(unsafe.Pointer(&n))) // LazyProc.Call would allocate
	return n
}

// Now is the present instant.
func Now() Instant {
	n := ask(counter)
	return Instant(n/second*int64(time.Second) + n%second*int64(time.Second)/second)
}
