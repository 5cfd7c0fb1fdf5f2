package main

import (
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mnet-edge/infer/native"
)

// kernelsFlag forces a family of the native engine's kernels, for tests and comparisons: all give the same answers. It
// sets the variable that the engine reads, so that a probe's child process inherits it.
func kernelsFlag() cli.Flag {
	return &cli.StringFlag{
		Name:  "kernels",
		Usage: "`FAMILY` of the native engine's kernels, rather than the fastest: avx512vnni, avxvnni, avx2, portable, ...",
		Action: func(c *cli.Context, name string) error {
			if c.IsSet("on") {
				return nil // that machine has processors of its own
			}
			can := native.Families()
			if !slices.Contains(can, native.Family(name)) {
				names := make([]string, len(can))
				for i, f := range can {
					names[i] = string(f)
				}
				return usagef("--kernels %s: this processor runs %s", name, strings.Join(names, ", "))
			}
			return os.Setenv(native.EnvFamily, name)
		},
	}
}
