package main

import (
	"fmt"
	"strings"

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
			for _, command := range c.App.VisibleCommands() { // the page has no other place for what these say
				command.UsageText = strings.TrimSpace(fmt.Sprintf("%s [options] %s", command.HelpName, command.ArgsUsage)) + "\n\n" + command.Description
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
