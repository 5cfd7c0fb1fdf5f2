package interp

import "math"

// Functions that are the same on every machine, as math's are not, to the last bit or two of a float64. All sums are of
// rounded products: see float.go.

// ln2Hi + ln2Lo is the logarithm of 2, in more digits than one number has.
const ln2Hi, ln2Lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10

// exp is e^x.
func exp(x float64) float64 {
	switch {
	case x > 709:
		return math.Inf(1)
	case x < -745:
		return 0
	case math.IsNaN(x):
		return x
	}
	k := math.RoundToEven(x * math.Log2E)
	r := float64(x-float64(k*ln2Hi)) - float64(k*ln2Lo) // |r| <= ln2/2
	sum := 1.0
	for n := 14; n > 0; n-- {
		sum = 1 + float64(float64(r*sum)/float64(n))
	}
	return math.Ldexp(sum, int(k))
}

// expm1 is e^x - 1, with all its digits near 0 too.
func expm1(x float64) float64 {
	if !(math.Abs(x) < math.Ln2/2) {
		return exp(x) - 1
	}
	sum := 1.0
	for n := 14; n > 1; n-- {
		sum = 1 + float64(float64(x*sum)/float64(n))
	}
	return float64(x * sum)
}

// log is the natural logarithm: of x = m 2^k, m near 1, k ln 2 + 2 artanh((m-1) / (m+1)).
func log(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) {
		return math.Log(x) // the same everywhere
	}
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	s := (m - 1) / (m + 1) // |s| <= 0.172
	square, sum := float64(s*s), 0.0
	for n := 21; n > 0; n -= 2 {
		sum = float64(square*sum) + 1/float64(n)
	}
	return float64(float64(k)*ln2Hi) + (float64(float64(k)*ln2Lo) + float64(2*s*sum))
}

// sine is sin(x + quarters pi/2): x is brought to an eighth of a turn around the nearest quarter, where the series of the
// sine or the cosine is short. Of numbers so large that neighbouring float32 are turns apart it is math's.
func sine(x float64, quarters int) float64 {
	if !(math.Abs(x) < 1<<24) {
		if quarters == 1 {
			return math.Cos(x)
		}
		return math.Sin(x)
	}
	const a, b, c = 1.57079625129699707031, 7.54978941586159635334e-8, 5.39030285815811905290e-15 // pi/2 in parts of 24 bits
	k := math.RoundToEven(x * (2 / math.Pi))
	r := float64(float64(x-float64(k*a))-float64(k*b)) - float64(k*c)
	quarters += int(k)
	square, sum, n := float64(r*r), 1.0, 18+1-quarters&1
	for ; n > 1; n -= 2 {
		sum = 1 - float64(square*sum)/float64(n*(n-1))
	}
	if quarters&1 == 0 {
		sum = float64(r * sum)
	}
	if quarters&2 != 0 {
		return -sum
	}
	return sum
}

// pow is a^b, for float32 as exactly as those have digits.
func pow(a, b float64) float64 {
	size := math.Abs(a)
	if !(size > 0 && size < math.Inf(1)) || b == 0 || math.IsNaN(b) || math.IsInf(b, 0) || a < 0 && b != math.Trunc(b) {
		return math.Pow(a, b) // a limit, the same everywhere
	}
	y := exp(float64(b * log(size)))
	if a < 0 && math.Mod(b, 2) != 0 {
		return -y
	}
	return y
}

// erf is the error function: 2/sqrt(pi) exp(-x^2) times the sum of 2^n x^(2n+1) / (1*3*..*(2n+1)), whose
// terms have one sign, so that nothing cancels. Source: Abramowitz and Stegun, 7.1.6.
func erf(x float64) float64 {
	if math.Abs(x) > 6 {
		return math.Copysign(1, x) // to within 1e-16
	}
	square, term, sum := float64(x*x), x, x
	for n := 3.; math.Abs(term) > 1e-17*math.Abs(sum); n += 2 {
		term = float64(term*2*square) / n
		sum += term
	}
	return 2 / math.Sqrt(math.Pi) * float64(exp(-square)*sum)
}
