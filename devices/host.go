package devices

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/klauspost/cpuid/v2"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"
)

// Host is a machine. Empty and zero fields are unknown.
type Host struct {
	OS           string   `json:"os"`           // as Go names it: "linux"
	Arch         string   `json:"arch"`         // as Go names it: "arm64"
	Distribution string   `json:"distribution"` // "Debian GNU/Linux 12 (bookworm)"
	Kernel       string   `json:"kernel"`       // its release: "6.6.31+rpt-rpi-v8"
	Board        string   `json:"board"`        // of a single-board computer: "Raspberry Pi 4 Model B Rev 1.4"
	CPU          string   `json:"cpu"`
	Cores        int      `json:"cores"`         // physical
	Threads      int      `json:"threads"`       // logical processors
	UsableCPUs   int      `json:"usable_cpus"`   // logical processors that Go uses: those this process may run on, or as its control group or GOMAXPROCS bounds them
	SIMD         []string `json:"simd"`          // the vector instructions that matter to inference, by their Linux names
	MemoryBytes  uint64   `json:"memory_bytes"`  // RAM
	Governor     string   `json:"governor"`      // of CPU 0's frequency: "performance" keeps it up
	MaxFreqMHz   int      `json:"max_freq_mhz"`  // of CPU 0
	TemperatureC float64  `json:"temperature_c"` // of the first thermal zone, now
	Throttled    []string `json:"throttled"`     // a Raspberry Pi: why it is held back, or was, as far as the kernel remembers; null: unknown
}

// Probe looks at the host it runs on.
func Probe(ctx context.Context) (Host, error) {
	h := Host{SIMD: []string{}}
	if runtime.GOOS == "linux" {
		h = readLinux(os.DirFS("/"))
	}
	h.OS, h.Arch, h.UsableCPUs = runtime.GOOS, runtime.GOARCH, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	h.CPU = cmp.Or(h.CPU, cpuid.CPU.BrandName)
	if len(h.SIMD) == 0 {
		h.SIMD = simdOf(cpuid.CPU.Has)
	}
	if err := ctx.Err(); err != nil {
		return Host{}, err
	}
	if h.Distribution == "" {
		if platform, _, version, err := host.PlatformInformationWithContext(ctx); err == nil {
			h.Distribution = platform + " " + version
		}
	}
	if h.Kernel == "" {
		h.Kernel, _ = host.KernelVersionWithContext(ctx)
	}
	if h.Cores == 0 {
		h.Cores, _ = cpu.CountsWithContext(ctx, false)
	}
	h.Cores = cmp.Or(h.Cores, cpuid.CPU.PhysicalCores)
	if h.Threads == 0 {
		h.Threads, _ = cpu.CountsWithContext(ctx, true)
	}
	if h.MemoryBytes == 0 {
		m, err := mem.VirtualMemoryWithContext(ctx)
		if err != nil {
			return Host{}, fmt.Errorf("devices: memory: %w", err)
		}
		h.MemoryBytes = m.Total
	}
	return h, nil
}

// simd lists the vector extensions that change how fast a network runs, with the names Linux gives them.
var simd = []struct {
	linux string
	id    cpuid.FeatureID
}{
	{"sse4_1", cpuid.SSE4}, {"avx", cpuid.AVX}, {"f16c", cpuid.F16C}, {"fma", cpuid.FMA3}, {"avx2", cpuid.AVX2},
	{"avx_vnni", cpuid.AVXVNNI}, {"avx512f", cpuid.AVX512F}, {"avx512bw", cpuid.AVX512BW}, {"avx512_vnni", cpuid.AVX512VNNI},
	{"avx512_fp16", cpuid.AVX512FP16}, {"amx_int8", cpuid.AMXINT8},
	{"asimd", cpuid.ASIMD}, {"asimdhp", cpuid.ASIMDHP}, {"asimddp", cpuid.ASIMDDP}, {"i8mm", cpuid.I8MM}, {"sve", cpuid.SVE},
}

func simdOf(has func(cpuid.FeatureID) bool) []string {
	names := []string{}
	for _, f := range simd {
		if has(f.id) {
			names = append(names, f.linux)
		}
	}
	return names
}
