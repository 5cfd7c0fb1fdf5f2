// Command recovery measures what each way of recovering accuracy is worth to a float network, and what each number format keeps of it:
//
//	recovery -data cifar10.zip float32.tflite
//
// prints tables in Markdown. The networks run in graph/interp with XNNPACK's rounding, over the same test images; "agree" is the
// share of answers that are the float network's, the last column its logits to their difference.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"mnet-edge/convert"
	"mnet-edge/dataset"
	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// bench is the network with what it is calibrated and tested on.
type bench struct {
	ctx            context.Context
	float          []byte // the network's file
	samples, tests [][]float32
	labels         []uint16
	want           [][]float32 // the float network's logits for tests
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("recovery: ")
	data := flag.String("data", "", "`DATA` as mnet-edge takes it")
	calib := flag.Int("calib", 512, "`N` calibration images")
	test := flag.Int("test", 0, "`N` test images; 0 stands for all")
	tables := flag.String("tables", "recipes,per-tensor,rounding,formats", "`NAMES` of tables")
	flag.Parse()
	b, err := open(*data, flag.Arg(0), *calib, *test)
	if err == nil {
		err = b.tables(*tables)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func open(data, path string, calib, test int) (*bench, error) {
	b := &bench{ctx: context.Background()}
	var err error
	if b.float, err = os.ReadFile(path); err != nil {
		return nil, err
	}
	m, err := infer.Load(b.float, infer.Given{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	set, err := dataset.Open(b.ctx, data, dataset.Options{TrainLimit: calib, TestLimit: test})
	if err != nil {
		return nil, err
	}
	if b.samples, err = inputs(m, &set.Train); err != nil {
		return nil, err
	}
	if b.tests, err = inputs(m, &set.Test); err != nil {
		return nil, err
	}
	b.labels = set.Test.Labels
	if b.want, err = b.run(m.Graph); err != nil {
		return nil, err
	}
	fmt.Printf("%s, %d calibration images, %d test images of %s\n", m.Graph.Name, set.Train.N, set.Test.N, set.Name)
	return b, nil
}

// inputs are the images of a split as the float network sees them.
func inputs(m *infer.Model, s *dataset.Split) ([][]float32, error) {
	raw, all := make([]byte, m.Input.Type.Bytes()), make([][]float32, s.N)
	for i := range all {
		if err := m.Preprocess(raw, s.Image(i)); err != nil {
			return nil, err
		}
		all[i] = make([]float32, m.Input.Type.Elements())
		if _, err := binary.Decode(raw, binary.LittleEndian, all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// run is a network's logits for each test image. Its input and output are float32.
func (b *bench) run(g *graph.Graph) ([][]float32, error) {
	logits := make([][]float32, len(b.tests))
	var packs interp.Packs
	var group errgroup.Group
	each := (len(b.tests) + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	for from := 0; from < len(b.tests); from += each {
		group.Go(func() error {
			m, err := interp.New(g, interp.Options{Rounding: quant.Float32, Packs: &packs})
			if err != nil {
				return err
			}
			for i := from; i < min(from+each, len(b.tests)); i++ {
				out, err := m.Run(b.tests[i])
				if err != nil {
					return err
				}
				logits[i] = slices.Clone(out[0].([]float32))
			}
			return nil
		})
	}
	return logits, group.Wait()
}

// cells are the last columns of a table for a network with these logits.
func (b *bench) cells(logits [][]float32) string {
	right, agree, signal, noise := 0, 0, 0., 0.
	for i, z := range logits {
		answer := largest(z)
		if answer == int(b.labels[i]) {
			right++
		}
		if answer == largest(b.want[i]) {
			agree++
		}
		for k, w := range b.want[i] {
			signal += float64(w) * float64(w)
			noise += float64(w-z[k]) * float64(w-z[k])
		}
	}
	n := float64(len(logits)) / 100
	if noise == 0 {
		return fmt.Sprintf("%.2f %% | %.2f %% | the same", float64(right)/n, float64(agree)/n)
	}
	return fmt.Sprintf("%.2f %% | %.2f %% | %.1f dB", float64(right)/n, float64(agree)/n, 10*math.Log10(signal/noise))
}

func largest(z []float32) int { return slices.Index(z, slices.Max(z)) }

// converted is what the recipe makes of the network, which spoil may have changed before.
func (b *bench) converted(r convert.Recipe, spoil func(*graph.Graph)) (*convert.Result, error) {
	g, err := tflite.Decode(b.float)
	if err != nil {
		return nil, err
	}
	if spoil != nil {
		spoil(g)
	}
	r.FloatIO = r.Scheme.Integer()
	return convert.Run(b.ctx, g, r, slices.Values(b.samples), nil)
}

// row prints one row of a table: what lead says of the conversion, and the cells.
func (b *bench) row(r convert.Recipe, spoil func(*graph.Graph), lead func(*convert.Result) (string, error)) error {
	res, err := b.converted(r, spoil)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Scheme, choices(r), err)
	}
	first, err := lead(res)
	if err != nil {
		return err
	}
	logits, err := b.run(res.Graph)
	if err != nil {
		return fmt.Errorf("%s: %w", first, err)
	}
	fmt.Printf("| %s | %s |\n", first, b.cells(logits))
	return nil
}

// named leads a row by a name.
func named(name string) func(*convert.Result) (string, error) {
	return func(*convert.Result) (string, error) { return name, nil }
}

// header prints a table's.
func header(title string, columns ...string) {
	columns = append(columns, "top-1", "agree", "logits")
	fmt.Printf("\n%s\n\n| %s |\n%s|\n", title, strings.Join(columns, " | "), strings.Repeat("|---", len(columns)))
}

// plain is the recipe in which nothing is recovered.
var plain = convert.Recipe{Scheme: convert.Int8, Observer: "minmax", Equalize: convert.Off, CorrectBias: convert.Off, RoundWeights: convert.Off}

func with(change func(*convert.Recipe)) convert.Recipe {
	r := plain
	change(&r)
	return r
}

// choices are a recipe's in the order observer / equalization / bias correction / adaptive rounding.
func choices(r convert.Recipe) string {
	return strings.Join([]string{r.Observer, r.Equalize, r.CorrectBias, r.RoundWeights}, " / ")
}

// tables prints those named, in their order.
func (b *bench) tables(names string) error {
	for _, table := range []struct {
		name  string
		print func() error
	}{{"recipes", b.recipes}, {"per-tensor", b.perTensor}, {"rounding", b.rounding}, {"formats", b.formats}} {
		if slices.Contains(strings.Split(names, ","), table.name) {
			if err := table.print(); err != nil {
				return err
			}
		}
	}
	return nil
}

// recipes are the ways of recovery in int8, one at a time, and what convert picks by itself.
func (b *bench) recipes() error {
	header("int8: observer / equalization / bias correction / adaptive rounding", "recipe")
	fmt.Printf("| float32 | %s |\n", b.cells(b.want))
	rs := []convert.Recipe{plain}
	for _, o := range []string{"percentile", "mse", "entropy"} {
		rs = append(rs, with(func(r *convert.Recipe) { r.Observer = o }))
	}
	for _, e := range []convert.Choice{convert.ByWeights, convert.ByActivations, convert.ByBoth} {
		rs = append(rs, with(func(r *convert.Recipe) { r.Equalize = e }))
	}
	rs = append(rs, with(func(r *convert.Recipe) { r.CorrectBias = convert.On }), with(func(r *convert.Recipe) { r.RoundWeights = convert.On }))
	together := with(func(r *convert.Recipe) { r.Observer, r.Equalize = "mse", convert.ByActivations })
	rs = append(rs, together)
	together.CorrectBias = convert.On
	rs = append(rs, together)
	together.RoundWeights = convert.On
	rs = append(rs, together)
	for _, r := range rs {
		if err := b.row(r, nil, named(choices(r))); err != nil {
			return err
		}
	}
	return b.row(convert.Recipe{Scheme: convert.Int8}, nil, func(res *convert.Result) (string, error) {
		return fmt.Sprintf("**%s**, what convert picks", choices(res.Recipe)), nil
	})
}

// perTensor is int8 with one scale a weight: as the network is, and with its channels out of balance.
func (b *bench) perTensor() error {
	header("int8, one scale a weight, channels as trained and multiplied by random powers of two that the next layer divides out", "channels", "equalization / bias correction")
	for _, c := range []struct {
		name  string
		spoil func(*graph.Graph)
	}{{"as trained", nil}, {"unbalanced", unbalance}} {
		for _, how := range [][2]convert.Choice{{convert.Off, convert.Off}, {convert.Off, convert.On}, {convert.ByWeights, convert.Off}, {convert.ByWeights, convert.On}} {
			r := with(func(r *convert.Recipe) { r.PerTensor, r.Equalize, r.CorrectBias = true, how[0], how[1] })
			if err := b.row(r, c.spoil, named(c.name+" | "+how[0]+" / "+how[1])); err != nil {
				return err
			}
		}
	}
	return nil
}

// rounding is what adaptive rounding and bias correction are worth to weights of four bits.
func (b *bench) rounding() error {
	header("int4 weights: rounding", "rounding", "bias correction")
	for _, round := range []convert.Choice{convert.Off, convert.On} {
		for _, bias := range []convert.Choice{convert.Off, convert.On} {
			r := with(func(r *convert.Recipe) { r.Scheme, r.RoundWeights, r.CorrectBias = convert.Int4, round, bias })
			name := map[convert.Choice]string{convert.Off: "nearest", convert.On: "adaptive"}[round]
			if err := b.row(r, nil, named(name+" | "+bias)); err != nil {
				return err
			}
		}
	}
	return nil
}

// formats are the number formats, each with the recipe that convert picks.
func (b *bench) formats() error {
	header("Number formats", "format", "picked", "file")
	for _, s := range convert.Schemes {
		err := b.row(convert.Recipe{Scheme: s}, nil, func(res *convert.Result) (string, error) {
			picked := "–"
			if s.Integer() {
				picked = choices(res.Recipe)
			}
			file, err := tflite.Encode(res.Graph)
			return fmt.Sprintf("%s | %s | %.1f KB", s, picked, float64(len(file))/1000), err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unbalance multiplies each channel between two convolutions by a power of two, 2^-5 to 2^5, and divides it out in the one behind: the same
// function, as a training without normalization might have left it. What has another reader than one convolution, or a limit that is
// not ReLU's, is left as it is.
func unbalance(g *graph.Graph) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range g.Nodes {
		if len(n.Out.Uses) != 1 || !convolution(n) || !convolution(n.Out.Uses[0]) || n.Op.(graph.Activated).Fused() == graph.ReLU6 {
			continue
		}
		next := n.Out.Uses[0]
		channels := n.Out.Type.Shape[3]
		times, over := make([]float32, channels), make([]float32, channels)
		for c := range times {
			e := rng.IntN(11) - 5
			times[c], over[c] = float32(math.Ldexp(1, e)), float32(math.Ldexp(1, -e))
		}
		_, depthwise := n.Op.(graph.DepthwiseConv2D)
		scale(n, 1, times, depthwise)
		scale(n, 2, times, true)
		scale(next, 1, over, true) // of a dense weight (O, kh, kw, I) the last dimension are the inputs, of a depthwise one the channels
	}
}

func convolution(n *graph.Node) bool {
	switch n.Op.(type) {
	case graph.Conv2D, graph.DepthwiseConv2D:
		return n.In[1].Type.Shape[3] == n.In[0].Type.Shape[3]
	}
	return false
}

// scale multiplies constant operand i of n by one factor a channel, which is its last dimension or its first.
func scale(n *graph.Node, i int, by []float32, last bool) {
	if i >= len(n.In) {
		return
	}
	v := n.In[i]
	data := slices.Clone(v.Data.([]float32))
	each := len(data) / len(by)
	for k := range data {
		if last {
			data[k] *= by[k%len(by)]
		} else {
			data[k] *= by[k/each]
		}
	}
	w := *v
	w.Data, w.Uses = data, nil
	n.SetInput(i, &w)
}
