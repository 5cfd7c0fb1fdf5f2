package main

import "github.com/urfave/cli/v2"

// devicesFlag is how many accelerators share the training step.
func devicesFlag() cli.Flag {
	return &cli.IntFlag{Name: "devices", Value: 1, Usage: "`N` of the backend's devices that share each batch; it must divide --batch"}
}
