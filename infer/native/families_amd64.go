package native

import "github.com/klauspost/cpuid/v2"

// assembler are this architecture's families, the fastest first.
var assembler = []*kernels{&avx512vnni, &avxvnni, &avx2}

var (
	avx512vnni = kernels{
		family: AVX512VNNI,
		runs:   cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.AVX512VNNI),
		narrow: true, conv: (*compiler).vnniConv,
		mean: mean16, meanChannels: 16, add: add64, mul: mul64, lookup: vbmi(lookup64),
		averagePool: averagePool16, maxPool: maxPool16,
	}
	avxvnni = avx2Family(AVXVNNI, cpuid.CPU.Supports(cpuid.AVX2, cpuid.AVXVNNI), (*compiler).avxvnniConv)
	avx2    = avx2Family(AVX2, cpuid.CPU.Supports(cpuid.AVX2), (*compiler).avx2Conv)
)

func avx2Family(f Family, runs bool, conv func(*compiler, *conv) work) kernels {
	return kernels{
		family: f, runs: runs, conv: conv,
		mean: avx2Mean, meanChannels: 8, add: avx2Add, mul: avx2Mul,
		averagePool: avx2AveragePool, maxPool: avx2MaxPool,
	}
}

// vbmi is a kernel that needs AVX-512 VBMI, or nil.
func vbmi[A any](kernel func(*A)) func(*A) {
	if !cpuid.CPU.Supports(cpuid.AVX512VBMI) {
		return nil
	}
	return kernel
}
