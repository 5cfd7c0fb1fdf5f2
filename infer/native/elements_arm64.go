package native

import "mnet-edge/quant"

// elementStep is how many bytes a block of the kernels of sums, products and tables has.
const elementStep = 16

// meanArgs are those of mean16: 16 channels at a time, averaged over pixels.
type meanArgs struct {
	x            *byte
	out          *byte
	pixels       int
	step         int // bytes from pixel to pixel
	blocks       int
	factor, bias float32 // see mean
	first        int32   // what a sum begins with
	clamp
}

func newMeanArgs(m *mean, count int) meanArgs {
	return meanArgs{
		factor: m.factor, bias: m.bias, first: int32(-flip * count), clamp: bounds{limit: quant.Full}.clamp(),
	}
}

// addArgs are those of add16.
type addArgs struct {
	a, b, out   *byte
	blocks      int
	fa, fb      int32
	bias, shift int32 // to the left
	clamp
}

func newAddArgs(f *adder) addArgs {
	return addArgs{
		fa: f.fa, fb: f.fb, bias: f.bias, shift: -f.shift, clamp: f.clamp(),
	}
}

// mulArgs are those of mul16.
type mulArgs struct {
	a, b, out *byte
	blocks    int
	za, zb    [4]uint8 // the zero points of a and b, + 128, four times
	factor    float32
	clamp
}

func newMulArgs(f *multiplier) mulArgs {
	za, zb := uint8(f.za+flip), uint8(f.zb+flip)
	return mulArgs{
		za: [4]uint8{za, za, za, za}, zb: [4]uint8{zb, zb, zb, zb}, factor: f.requant.Ratio(),
		clamp: f.clamp(),
	}
}

//go:noescape
func mean16(a *meanArgs)

//go:noescape
func add16(a *addArgs)

//go:noescape
func mul16(a *mulArgs)

//go:noescape
func lookup16(a *lookupArgs)
