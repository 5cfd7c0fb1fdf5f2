package native

import (
	"runtime"
	"syscall"
	"unsafe"
)

// getcpu is the number of the system call, which package syscall does not have everywhere; 0 where it is not known here.
var getcpu = map[string]uintptr{"amd64": 309, "arm64": 168}[runtime.GOARCH]

// processor is the number of the processor that the calling thread has, or -1.
func processor() int {
	var cpu uint32
	if getcpu == 0 {
		return -1
	}
	if _, _, err := syscall.RawSyscall(getcpu, uintptr(unsafe.Pointer(&cpu)), 0, 0); err != 0 {
		return -1
	}
	return int(cpu)
}

// yield lets other threads have the processor.
func yield() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }

// leave makes the calling thread move from a processor, if it is there and may be elsewhere. Linux often wakes a thread where
// the one runs that wakes it, though another processor has nothing to do: as long as both are there for less than a tick at a
// time, it does not see that anything is wrong.
func leave(cpu int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cpu < 0 || processor() != cpu {
		return
	}
	var all [1 << 10 / 8]byte // a bit for each processor
	if _, _, err := affinity(syscall.SYS_SCHED_GETAFFINITY, &all); err != 0 || cpu/8 >= len(all) {
		return
	}
	others := all
	if others[cpu/8] &^= 1 << (cpu % 8); others == [len(all)]byte{} {
		return
	}
	affinity(syscall.SYS_SCHED_SETAFFINITY, &others)
	affinity(syscall.SYS_SCHED_SETAFFINITY, &all)
}

// affinity is a system call about where the calling thread may run.
func affinity(call uintptr, set *[1 << 10 / 8]byte) (r1, r2 uintptr, err syscall.Errno) {
	return syscall.RawSyscall(call, 0, unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
}
