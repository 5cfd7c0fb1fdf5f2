//go:build !unix

package main

import "os"

// residentMiB is not known here.
func residentMiB(*os.ProcessState) float64 { return 0 }
