//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

// residentMiB is the most memory that a process had resident.
func residentMiB(p *os.ProcessState) float64 {
	unit := 1024. // bytes
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(p.SysUsage().(*syscall.Rusage).Maxrss) * unit / (1 << 20)
}
