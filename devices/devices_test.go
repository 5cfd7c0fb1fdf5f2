package devices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// recorded is a tree under testdata: the files, in the form the kernel gives them, that a machine of that kind has. The
// throttle bits of a Raspberry Pi are added to it, since a name with a colon cannot be in a Go module.
func recorded(t *testing.T, tree, throttledFile, bits string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	root := os.DirFS("testdata/" + tree)
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, path)
		all[path] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if throttledFile != "" {
		all[throttledFile] = &fstest.MapFile{Data: []byte(bits)}
	}
	return all
}

func TestReadLinux(t *testing.T) {
	throttled := map[string][2]string{
		"pi4": {pi4Throttled, "80008\n"},
		"pi5": {"sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "0\n"},
	}
	for tree, want := range map[string]Host{
		"pi4": {
			Distribution: "Debian GNU/Linux 11 (bullseye)", Kernel: "6.1.21-v8+", Board: "Raspberry Pi 4 Model B Rev 1.4",
			CPU: "ARM Cortex-A72", Cores: 4, Threads: 4, SIMD: []string{"asimd"}, MemoryBytes: 3884352 << 10,
			Governor: "ondemand", MaxFreqMHz: 1800, TemperatureC: 48.686, Throttled: []string{"near the temperature limit"},
		},
		"pi5": {
			Distribution: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.6.31+rpt-rpi-2712", Board: "Raspberry Pi 5 Model B Rev 1.0",
			CPU: "ARM Cortex-A76", Cores: 4, Threads: 4, SIMD: []string{"asimd", "asimdhp", "asimddp"}, MemoryBytes: 8256512 << 10,
			Governor: "ondemand", MaxFreqMHz: 2400, TemperatureC: 51.25, Throttled: []string{},
		},
		"pc": {
			Distribution: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-18-amd64",
			CPU: "11th Gen Intel(R) Core(TM) i3-1115G4 @ 3.00GHz", Cores: 2, Threads: 4,
			SIMD:        []string{"sse4_1", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512_vnni"},
			MemoryBytes: 16192512 << 10, Governor: "performance", MaxFreqMHz: 4100,
		},
	} {
		if got := readLinux(recorded(t, tree, throttled[tree][0], throttled[tree][1])); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v", tree, got, want)
		}
	}
}

// What is missing or makes no sense stays unknown.
func TestReadLinuxOddTrees(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for name, tree := range map[string]fstest.MapFS{
		"empty": {},
		"nonsense": {
			"proc/cpuinfo": file("::\n\x00:\n"), "proc/meminfo": file("MemTotal: many kB\nMemTotal:"),
			"sys/class/thermal/thermal_zone0/temp": file("hot"), "etc/os-release": file("PRETTY_NAME"),
			"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": file("fast"),
		},
	} {
		if got, want := readLinux(tree), (Host{SIMD: []string{}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want nothing", name, got)
		}
	}
	for bits, want := range map[string][]string{"0\n": {}, "50005\n": {"low voltage", "throttled"}, "80001\n": {"low voltage", "near the temperature limit, earlier"}} {
		if got := readLinux(fstest.MapFS{pi4Throttled: file(bits)}).Throttled; !reflect.DeepEqual(got, want) {
			t.Errorf("get_throttled %q: %q, want %q", bits, got, want)
		}
	}
	other := readLinux(fstest.MapFS{"proc/cpuinfo": file("processor : 0\nCPU implementer : 0x61\nCPU part : 0x022\n")})
	if other.CPU != "implementer 0x61 part 0x022" || other.Cores != 1 {
		t.Errorf("an unknown core: %+v", other)
	}
}

func TestProbe(t *testing.T) {
	h, err := Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.OS != runtime.GOOS || h.Arch != runtime.GOARCH || h.UsableCPUs < 1 || h.Threads < 1 || h.MemoryBytes < 1<<20 || h.Kernel == "" {
		t.Errorf("%+v", h)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Probe(cancelled); err == nil {
		t.Error("a cancelled probe gave a host")
	}
}

type one struct{ Device }

func (o one) Devices() []Device { return []Device{o.Device} }

func TestList(t *testing.T) {
	there := Device{Name: "abacus", Kind: CPU, Available: true, Version: "1"}
	r, err := List(t.Context(), one{there}, Absent{Names: []string{"a", "b"}, Kind: GPU, Reason: "no library"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Device{there, {Name: "a", Kind: GPU, Reason: "no library"}, {Name: "b", Kind: GPU, Reason: "no library"}}
	if !reflect.DeepEqual(r.Devices, want) {
		t.Errorf("%+v, want %+v", r.Devices, want)
	}
	b, err := json.Marshal(r.Devices[1])
	if text := `{"name":"a","kind":"gpu","available":false,"reason":"no library","version":""}`; err != nil || string(b) != text {
		t.Errorf("%s, error %v; want %s", b, err, text)
	}
	if r, err = List(t.Context()); err != nil || r.Devices == nil {
		t.Errorf("without probers: %v, error %v: JSON wants an empty list", r.Devices, err)
	}
}

// interrupted is a prober that is interrupted while it looks.
type interrupted struct{ stop context.CancelFunc }

func (p interrupted) Devices() []Device {
	p.stop()
	return []Device{{Name: "gpu"}}
}

// An interrupt while devices are tried is no finding about them.
func TestListInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	if _, err := List(ctx, interrupted{stop}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A processor with cores of two kinds is both.
func TestTwoKindsOfCores(t *testing.T) {
	var cpuinfo strings.Builder
	for i, part := range []string{"0xd05", "0xd05", "0xd0b", "0xd0b"} {
		fmt.Fprintf(&cpuinfo, "processor\t: %d\nFeatures\t: asimd\nCPU implementer\t: 0x41\nCPU part\t: %s\n\n", i, part)
	}
	h := readLinux(fstest.MapFS{"proc/cpuinfo": {Data: []byte(cpuinfo.String())}})
	if h.CPU != "ARM Cortex-A55 + ARM Cortex-A76" || h.Cores != 4 {
		t.Errorf("%q, %d cores", h.CPU, h.Cores)
	}
}

// Whatever a system says of itself, nothing is negative and nothing panics.
func FuzzReadLinux(f *testing.F) {
	for _, tree := range []string{"pi4", "pc"} {
		var texts [3][]byte
		for i, name := range []string{"proc/cpuinfo", "proc/meminfo", "etc/os-release"} {
			b, err := os.ReadFile("testdata/" + tree + "/" + name)
			if err != nil {
				f.Fatal(err)
			}
			texts[i] = b
		}
		f.Add(texts[0], texts[1], texts[2], "1800000", "50005")
		f.Add(texts[0], texts[1], texts[2], "-1000000", "")
	}
	f.Fuzz(func(t *testing.T, cpu, memory, release []byte, number, bits string) {
		h := readLinux(fstest.MapFS{
			"proc/cpuinfo": {Data: cpu}, "proc/meminfo": {Data: memory}, "etc/os-release": {Data: release}, pi4Throttled: {Data: []byte(bits)},
			"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": {Data: []byte(number)},
		})
		if h.Cores < 0 || h.Threads < 0 || h.MaxFreqMHz < 0 {
			t.Errorf("%+v", h)
		}
	})
}
