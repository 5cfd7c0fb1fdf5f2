// Package soak holds the long tests: what must hold after ten thousand hostile files, a hundred thousand calls. It has no
// code but tests.
//
//	mutants_test.go   mutated models: the check in Go, then the runtimes in a child process
//	child_test.go     that child: the test binary started again, fed models over a pipe
//	images_test.go    mutated pictures
//	pool_test.go      one model, many goroutines
//	leaks_test.go     memory and file descriptors over many calls and many sessions
//
// Plain `go test` runs each with a small part of its cases. With MNET_SOAK=1 they run in full and log their figures.
package soak
