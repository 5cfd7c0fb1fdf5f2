package convert

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// One output of a layer, in real numbers and in integers: docs/quantization.md walks through it.
func Example_layer() {
	x := []float32{0.5, -1, 2}
	w := []float32{0.8, -0.3, 0.1}
	bias := float32(0.25)

	real := bias
	for i := range x {
		real += float32(x[i] * w[i])
	}
	fmt.Printf("real: y = %.4f\n", real)

	sx, zx := quant.Asymmetric(-1, 3, quant.Int8Min, quant.Int8Max)
	sw := quant.Symmetric(0.8, quant.Int8Max)
	sy, zy := quant.Asymmetric(0, 2, quant.Int8Min, quant.Int8Max) // ReLU: nothing below 0
	fmt.Printf("scales: x %.6f (zero point %d), w %.6f, y %.6f (zero point %d)\n", sx, zx, sw, sy, zy)

	var qx, qw [3]int32
	for i := range x {
		qx[i] = quant.Quantize(x[i], sx, zx, quant.Int8Min, quant.Int8Max)
		qw[i] = quant.Quantize(w[i], sw, 0, quant.Int8NarrowMin, quant.Int8Max)
	}
	sb := float32(sx * sw)
	acc := quant.Quantize(bias, sb, 0, -1<<31, 1<<31-1)
	fmt.Printf("integers: x %v, w %v, bias %d at scale %.9f\n", qx, qw, acc, sb)
	for i := range qx {
		acc += (qx[i] - zx) * qw[i]
	}
	m := quant.NewMultiplier(float64(sx) * float64(sw) / float64(sy))
	fmt.Printf("sum: %d, worth %.4f\n", acc, float32(acc)*sb)
	fmt.Printf("multiplier: %.9f = %d * 2^(%d-31)\n", m.Real(), m.M, m.Shift)
	q := quant.Full.Clamp(quant.Double.Apply(acc, m) + zy)
	fmt.Printf("result: %d, worth %.4f\n", q, quant.Dequantize(q, sy, zy))
	// Output:
	// real: y = 1.1500
	// scales: x 0.015686 (zero point -64), w 0.006299, y 0.007843 (zero point -128)
	// integers: x [-32 -128 63], w [127 -48 16], bias 2530 at scale 0.000098811
	// sum: 11698, worth 1.1559
	// multiplier: 0.012598425 = 1731514368 * 2^(-6-31)
	// result: 19, worth 1.1529
}

// What the choices of a recipe do to a small network with random weights, and to the same network after its channels
// were put out of balance.
func Example_recovery() {
	perTensor := plain.with(func(r *Recipe) { r.PerTensor = true })
	for _, row := range []struct {
		name  string
		r     Recipe
		spoil func(*graph.Graph)
	}{
		{"one scale a channel", plain, nil},
		{"  and bias correction", plain.with(func(r *Recipe) { r.CorrectBias = On }), nil},
		{"  and equalized activations", plain.with(func(r *Recipe) { r.CorrectBias, r.Equalize = On, ByActivations }), nil},
		{"  and adaptive rounding", plain.with(func(r *Recipe) { r.CorrectBias, r.Equalize, r.RoundWeights = On, ByActivations, On }), nil},
		{"one scale a weight", perTensor, nil},
		{"channels out of balance", perTensor, unbalance},
		{"  equalized weights", perTensor.with(func(r *Recipe) { r.Equalize = ByWeights }), unbalance},
		{"  and bias correction", perTensor.with(func(r *Recipe) { r.Equalize, r.CorrectBias = ByWeights, On }), unbalance},
	} {
		fmt.Printf("%-29s %4.1f dB\n", row.name, decibelsOf(row.r, row.spoil))
	}
	// Output:
	// one scale a channel           34.8 dB
	//   and bias correction         36.3 dB
	//   and equalized activations   37.5 dB
	//   and adaptive rounding       36.4 dB
	// one scale a weight            34.4 dB
	// channels out of balance        0.2 dB
	//   equalized weights           35.6 dB
	//   and bias correction         36.9 dB
}

// decibelsOf is how near the small network stays to itself in float32, converted by a recipe, on samples that nothing
// was fitted to. spoil changes the float network before it is converted.
func decibelsOf(r Recipe, spoil func(*graph.Graph)) float64 {
	c := checkpoint(nil)
	g, err := Lower(c)
	if err != nil {
		return 0
	}
	all, _ := collect(context.Background(), g, scenes(c, 96))
	fit, held := all[:64], all[64:]
	float, err := Run(context.Background(), g, Recipe{Scheme: Float32}, nil, nil)
	if err != nil {
		return 0
	}
	conv := &conversion{ctx: context.Background(), g: float.Graph, samples: held, peaks: held, works: newWorks()}
	want, err := conv.outputs(held)
	if err != nil {
		return 0
	}
	if spoil != nil {
		spoil(float.Graph)
	}
	res, err := Run(context.Background(), float.Graph, r, each(fit), nil)
	if err != nil {
		return 0
	}
	conv.g = res.Graph
	got, err := conv.outputs(held)
	if err != nil {
		return 0
	}
	return snr(want, got)
}

// What the number formats do to the same network, each in the plainest way, and int4 with adaptive rounding.
func Example_schemes() {
	with := func(s Scheme, rounding Choice) Recipe {
		return plain.with(func(r *Recipe) { r.Scheme, r.CorrectBias, r.RoundWeights = s, On, rounding })
	}
	for _, row := range []struct {
		name string
		r    Recipe
	}{
		{"float16", with(Float16, Off)},
		{"dynamic range", with(Dynamic, Off)},
		{"int8", with(Int8, Off)},
		{"int16x8", with(Int16x8, Off)},
		{"int4", with(Int4, Off)},
		{"  and adaptive rounding", with(Int4, On)},
	} {
		fmt.Printf("%-24s %4.1f dB\n", row.name, decibelsOf(row.r, nil))
	}
	// Output:
	// float16                  66.9 dB
	// dynamic range            39.3 dB
	// int8                     36.3 dB
	// int16x8                  42.5 dB
	// int4                     26.0 dB
	//   and adaptive rounding  29.1 dB
}

// docs/quantization.md shows what the examples print.
func TestDocumentShowsExamples(t *testing.T) {
	doc, err := os.ReadFile("../docs/quantization.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(source), "\t// Output:\n")[1:] {
		var b strings.Builder
		for _, line := range strings.Split(part, "\n") {
			text, ok := strings.CutPrefix(line, "\t// ")
			if !ok {
				break
			}
			b.WriteString("    " + text + "\n")
		}
		blocks = append(blocks, b.String())
	}
	if len(blocks) != 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(string(doc), b) {
			t.Errorf("the document lacks\n%s", b)
		}
	}
}
