//go:build !amd64 && !arm64

package native

// assembler: no kernels but the portable ones for this architecture.
var assembler []*kernels
