//go:build !linux

package native

// Where threads run is only of interest to the kernel, here.

func processor() int { return -1 }

func leave(int) {}

func yield() {}
