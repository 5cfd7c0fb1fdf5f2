package main

import (
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"mnet-edge/devices"
	"mnet-edge/report"
	"mnet-edge/train"
)

func devicesCommand() *cli.Command {
	return &cli.Command{
		Name:  "devices",
		Usage: "list what this machine can run on, and why not the rest",
		Description: `1. What --delegate may name here:    mnet-edge devices
2. For a program:                    mnet-edge devices --json
3. With other kernels of ours:       mnet-edge devices --kernels portable`,
		Flags: []cli.Flag{jsonFlag(), kernelsFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("devices takes no argument: %q", c.Args().First())
			}
			ps := probers()
			for i := range ps {
				ps[i] = tried{ps[i], c.Context}
			}
			r, err := devices.List(c.Context, ps...)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeJSON(c.App.Writer, r)
			}
			report.Devices(c.App.Writer, r)
			return nil
		},
	}
}

// trainingBackends are GoMLX's, as devices.
type trainingBackends struct{}

func (trainingBackends) Devices() []devices.Device {
	ds := []devices.Device{{Name: "train:go", Kind: devices.CPU, Available: true, Version: strings.TrimPrefix(runtime.Version(), "go")}}
	for _, b := range []struct {
		name string
		kind devices.Kind
	}{{train.BackendXLA, devices.CPU}, {train.BackendCUDA, devices.GPU}} {
		d := devices.Device{Name: "train:" + b.name, Kind: b.kind}
		plugin, err := train.FindPlugin(b.name)
		if err != nil {
			d.Reason = oneLine(err)
		} else {
			d.Available, d.Version = true, plugin
		}
		ds = append(ds, d)
	}
	return ds
}
