package devices

import (
	"bytes"
	"cmp"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// readLinux reads what Linux says of the machine under the root of a file tree. What the tree lacks stays unknown.
func readLinux(root fs.FS) Host {
	h := Host{
		Distribution: distribution(cmp.Or(text(root, "etc/os-release"), text(root, "usr/lib/os-release"))),
		Kernel:       text(root, "proc/sys/kernel/osrelease"),
		Board:        cmp.Or(text(root, "proc/device-tree/model"), text(root, "sys/firmware/devicetree/base/model")),
		MemoryBytes:  memTotal(text(root, "proc/meminfo")),
		Governor:     text(root, cpuFreq+"scaling_governor"),
	}
	if t, ok := thousandths(root, thermalZone); ok {
		h.TemperatureC = t
	}
	kHz, _ := strconv.ParseUint(text(root, cpuFreq+"cpuinfo_max_freq"), 10, 32)
	h.MaxFreqMHz = int(kHz / 1000)
	if bits, ok := throttleBits(root, throttledFile(root)); ok {
		h.Throttled = throttleReasons(bits)
	}
	h.cpuinfo(text(root, "proc/cpuinfo"))
	return h
}

// text is what a file says, without what ends it: the device tree ends its strings with NUL. A file that cannot be read says nothing.
func text(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return string(bytes.Trim(b, "\x00\n "))
}

// thousandths is the number in a file of kHz or of thousandths of a degree, in MHz or degrees.
func thousandths(root fs.FS, name string) (v float64, ok bool) {
	v, err := strconv.ParseFloat(text(root, name), 64)
	return v / 1000, err == nil
}

// throttleBits are those in a file of get_throttled.
func throttleBits(root fs.FS, file string) (bits uint64, ok bool) {
	bits, err := strconv.ParseUint(strings.TrimPrefix(text(root, file), "0x"), 16, 32)
	return bits, err == nil
}

// throttleReasons spells out the bits of get_throttled.
func throttleReasons(bits uint64) []string {
	reasons := []string{}
	for bit, why := range piBits {
		switch {
		case bits>>bit&1 == 1:
			reasons = append(reasons, why)
		case bits>>(16+bit)&1 == 1:
			reasons = append(reasons, why+", earlier")
		}
	}
	return reasons
}

// distribution is PRETTY_NAME of an os-release file.
func distribution(release string) string {
	for line := range strings.Lines(release) {
		if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

// memTotal is the first line of /proc/meminfo, in kB there.
func memTotal(meminfo string) uint64 {
	for line := range strings.Lines(meminfo) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseUint(f[1], 10, 54)
			return kb << 10
		}
	}
	return 0
}

// cpuinfo takes model, counts and features from the text of /proc/cpuinfo: "key : value" lines, a block a processor.
func (h *Host) cpuinfo(text string) {
	first := map[string]string{} // of the first processor that has the key
	cores := map[[2]string]bool{}
	var socket, implementer string
	var arms []string // the kinds of cores of an arm64 processor, little ones first as a rule
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch key {
		case "processor":
			h.Threads++
		case "physical id":
			socket = value
		case "core id":
			cores[[2]string{socket, value}] = true
		case "CPU implementer":
			implementer = value
		case "CPU part":
			if name := armName(implementer, value); !slices.Contains(arms, name) {
				arms = append(arms, name)
			}
		}
		if _, ok := first[key]; !ok {
			first[key] = value
		}
	}
	h.CPU = cmp.Or(first["model name"], strings.Join(arms, " + "))
	h.Cores = len(cores)
	if h.Cores == 0 && first["CPU part"] != "" {
		h.Cores = h.Threads // arm64 cores have one thread each, and no "core id"
	}
	flags := strings.Fields(cmp.Or(first["flags"], first["Features"]))
	h.SIMD = []string{}
	for _, f := range simd {
		if slices.Contains(flags, f.linux) {
			h.SIMD = append(h.SIMD, f.linux)
		}
	}
}

// armCores names the cores of ARM's own design (implementer 0x41), which arm64's /proc/cpuinfo gives by number.
var armCores = map[string]string{
	"0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57", "0xd08": "Cortex-A72",
	"0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76", "0xd0c": "Neoverse N1", "0xd0d": "Cortex-A77",
	"0xd40": "Neoverse V1", "0xd41": "Cortex-A78", "0xd49": "Neoverse N2", "0xd4f": "Neoverse V2",
}

func armName(implementer, part string) string {
	if name, ok := armCores[part]; ok && implementer == "0x41" {
		return "ARM " + name
	}
	return "implementer " + implementer + " part " + part
}
