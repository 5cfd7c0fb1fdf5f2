//go:build !(cgo && linux && (amd64 || arm64))

package allocator

// Use does nothing where the C library is not glibc.
func Use() {}

// Held returns 0.
func Held() uint64 { return 0 }
