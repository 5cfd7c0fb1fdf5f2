package native

// elementStep is how many bytes a block of the kernels of sums, products and tables has.
const elementStep = 64

// meanArgs are those of mean16 and avx2Mean: 16 or 8 channels at a time, averaged over pixels.
type meanArgs struct {
	x            *byte
	out          *byte
	pixels       int
	step         int // bytes from pixel to pixel
	blocks       int
	factor, bias float32 // see mean
	first        int32   // what a sum begins with
	offset       int32   // what is added in the end
}

func newMeanArgs(m *mean, count int) meanArgs {
	return meanArgs{factor: m.factor, bias: m.bias, first: int32(-flip * count), offset: flip}
}

// addArgs are those of add64 and avx2Add.
type addArgs struct {
	a, b, out   *byte
	blocks      int
	high, low   [2]int16 // of a and b: a factor is high*2^15 + low
	bias, shift int32
	_           [16]byte
	clamp
}

func newAddArgs(f *adder) addArgs {
	const low = 1<<15 - 1
	return addArgs{
		high: [2]int16{int16(f.fa >> 15), int16(f.fb >> 15)}, low: [2]int16{int16(f.fa & low), int16(f.fb & low)},
		bias: f.bias, shift: f.shift, clamp: f.clamp(),
	}
}

// mulArgs are those of mul64 and avx2Mul.
type mulArgs struct {
	a, b, out *byte
	blocks    int
	factor    float32
	zeros     [2]int16 // of a and b, + 128
	_         [24]byte
	clamp
}

func newMulArgs(f *multiplier) mulArgs {
	return mulArgs{
		factor: f.requant.Ratio(), zeros: [2]int16{int16(f.za) + flip, int16(f.zb) + flip},
		clamp: f.clamp(),
	}
}

//go:noescape
func mean16(a *meanArgs)

//go:noescape
func add64(a *addArgs)

//go:noescape
func mul64(a *mulArgs)

//go:noescape
func lookup64(a *lookupArgs)
