package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// manCommand prints the manual, which is made of the same words as --help.
func manCommand() *cli.Command {
	return &cli.Command{
		Name:        "man",
		Usage:       "print the manual page",
		Description: `1. Read it:     mnet-edge man | man -l -`,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("man takes no argument: %q", c.Args().First())
			}
			page, err := c.App.ToManWithSection(1)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.App.Writer, page)
			return err
		},
	}
}
