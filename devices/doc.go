// Package devices says what this host is and what it can run models on, and why not on the rest.
//
//	device.go  Device, the Probers that know them, List
//	host.go    Host: the machine, from the operating system
//	watch.go   Conditions: load, clock, temperature and throttling while something is measured
//	linux.go   what Linux says in /proc, /sys and /etc, read from any tree (tests have recorded ones)
//
// The package knows no runtime: each describes its own devices (infer.Runtime is a Prober), and the program lists them.
package devices
