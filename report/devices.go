package report

import (
	"fmt"
	"io"
	"strings"

	"mnet-edge/devices"
)

// HostText is a host on one line: CPU, processors, memory.
func HostText(h devices.Host) string {
	name := h.CPU
	if h.Board != "" {
		name = h.Board
	}
	memory, digits := float64(h.MemoryBytes)/(1<<30), 0
	if memory < 9.5 {
		digits = 1 // a board of 512 MB has less than half of one left
	}
	return fmt.Sprintf("%s, %s, %.*f GiB, %s/%s", name, plural(h.UsableCPUs, "processor"), digits, memory, h.OS, h.Arch)
}

// Devices writes the host's facts and the table of devices. What is not known is left out.
func Devices(w io.Writer, r devices.Report) {
	t := NewTable(w)
	h := r.Host
	for _, f := range []struct{ name, value string }{
		{"board", h.Board},
		{"cpu", h.CPU},
		{"processors", fmt.Sprintf("%d usable of %d, %s", h.UsableCPUs, h.Threads, plural(h.Cores, "core"))},
		{"simd", strings.Join(h.SIMD, " ")},
		{"memory", fmt.Sprintf("%.1f GiB", float64(h.MemoryBytes)/(1<<30))},
		{"system", strings.TrimSpace(fmt.Sprintf("%s %s/%s %s", h.Distribution, h.OS, h.Arch, h.Kernel))},
		{"governor", h.Governor},
	} {
		if f.value != "" {
			t.Row(f.name, f.value)
		}
	}
	if h.TemperatureC != 0 {
		t.Row("temperature", fmt.Sprintf("%.0f °C", h.TemperatureC))
	}
	if len(h.Throttled) > 0 {
		t.Row("throttled", strings.Join(h.Throttled, "; "))
	}
	t.Render()
	fmt.Fprintln(w)
	d := NewTable(w, "device", "kind", "available", "version or reason")
	d.words(2, 3, 4)
	for _, dev := range r.Devices {
		if dev.Available {
			d.Row(dev.Name, dev.Kind, "yes", dev.Version)
		} else {
			d.Row(dev.Name, dev.Kind, "no", dev.Reason)
		}
	}
	d.Render()
}
