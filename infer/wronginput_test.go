package infer_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

// Inputs of a wrong rank, number of channels, type or count: 500 seeded cases, shared among goroutines that use one Model
// (make race). Whatever is wrong, the error says what there is and what is wanted, and the next right call is answered.
func TestWrongInput(t *testing.T) {
	const cases, goroutines = 500, 8
	file := small(t, infertest.Int8, func(*graph.Graph) {})
	m, err := infer.Load(file, infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	in := bytes.Repeat([]byte{7}, m.Input.Type.Bytes())
	var wrong, right [4]int
	var count sync.Mutex
	var wg sync.WaitGroup
	for g := range goroutines {
		s, err := infer.NewReference(quant.Double).Open(file, infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		want := mustAnswer(t, s, in)
		wg.Go(func() {
			for i := g; i < cases; i += goroutines {
				r := rand.New(rand.NewPCG(uint64(i), 4))
				kind := i % len(wrong)
				ok, err := []func(*rand.Rand) (bool, error){
					aModel, twoOfThem,
					func(r *rand.Rand) (bool, error) { return aBuffer(r, m.Input, s.Write) },
					func(r *rand.Rand) (bool, error) { return pixelsAndScores(r, m) },
				}[kind](r)
				if err != nil {
					t.Errorf("case %d: %v", i, err)
				}
				if got := mustAnswer(t, s, in); !bytes.Equal(got, want) {
					t.Errorf("case %d: the answer after it is %v, want %v", i, got, want)
				}
				count.Lock()
				if ok {
					right[kind]++
				} else {
					wrong[kind]++
				}
				count.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("models of one tensor each, of two, buffers, pixels and scores: %v refused, %v right after all", wrong, right)
	for kind, n := range wrong {
		if n < cases/10 {
			t.Errorf("only %d cases of kind %d were wrong", n, kind)
		}
	}
}

func mustAnswer(t *testing.T, s infer.Session, in []byte) []byte {
	out := make([]byte, s.Output().Type.Bytes())
	if err := errors.Join(s.Write(in), s.Invoke(), s.Read(out)); err != nil {
		t.Error(err)
	}
	return out
}

// says holds an error to naming all of the words.
func says(err error, words ...string) error {
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			return fmt.Errorf("%v: want %q in it", err, w)
		}
	}
	return nil
}

// aModel has an input of any rank, shape and type.
func aModel(r *rand.Rand) (ok bool, _ error) {
	g := graph.New("any")
	g.Level = graph.Folded
	x := graph.Type{DType: []graph.DType{graph.Float32, graph.Int8, graph.Int16}[r.IntN(3)], Shape: make([]int, 1+r.IntN(6))}
	for i := range x.Shape {
		x.Shape[i] = 1 + r.IntN(4)
	}
	if r.IntN(2) == 0 { // near enough to an image
		x.Shape = []int{1 + r.IntN(4)/3, 4, 4, 1 + r.IntN(4)}
	}
	if x.DType != graph.Float32 {
		g.Level, x.Quant = graph.Quantized, quant.PerTensor(1, 0)
	}
	y := g.Apply("y", graph.Reshape{Shape: []int{1, x.Elements()}}, g.Input("x", x))
	y.Type.Quant = x.Quant
	g.Outputs = []*graph.Value{y}
	g.Meta = graph.Meta{Mean: []float32{0}, Std: []float32{255}}
	b, err := tflite.Encode(g)
	if err != nil {
		return false, err
	}
	_, err = infer.Load(b, infer.Given{})
	if len(x.Shape) == 4 && x.Shape[0] == 1 && x.Shape[3] == 3 {
		return true, err
	}
	return false, errors.Join(says(err, fmt.Sprintf("%v%v", x.DType, x.Shape), "want an image (1, H, W, 3)"), isModel(err))
}

func isModel(err error) error {
	if !errors.Is(err, infer.ErrModel) {
		return fmt.Errorf("%w is no ErrModel", err)
	}
	return nil
}

// twoOfThem has one to three inputs and outputs.
func twoOfThem(r *rand.Rand) (ok bool, _ error) {
	g := graph.New("many")
	g.Level = graph.Folded
	inputs, outputs := 1+r.IntN(3), 1+r.IntN(3)
	for i := range max(inputs, outputs) {
		if i < inputs {
			g.Input(fmt.Sprint("x", i), graph.Type{DType: graph.Float32, Shape: []int{1, 2, 2, 3}})
		}
		if i < outputs {
			g.Outputs = append(g.Outputs, g.Apply(fmt.Sprint("y", i), graph.Reshape{Shape: []int{1, 12}}, g.Inputs[min(i, inputs-1)]))
		}
	}
	g.Meta = graph.Meta{Mean: []float32{0}, Std: []float32{255}}
	b, err := tflite.Encode(g)
	if err != nil {
		return false, err
	}
	if _, err = infer.Load(b, infer.Given{}); inputs == 1 && outputs == 1 {
		return true, err
	}
	return false, errors.Join(says(err, fmt.Sprintf("%d inputs and %d outputs: want one each", inputs, outputs)), isModel(err))
}

// aBuffer has any number of bytes, most often near the right one.
func aBuffer(r *rand.Rand, t infer.Tensor, write func([]byte) error) (ok bool, _ error) {
	want := t.Type.Bytes()
	n := anyNear(r, want)
	if err := write(make([]byte, n)); n != want {
		return false, says(err, fmt.Sprintf("%d bytes", n), fmt.Sprintf("which has %d", want))
	} else {
		return true, err
	}
}

func anyNear(r *rand.Rand, want int) int {
	return []int{want, 0, want - 1 - r.IntN(3), want + 1 + r.IntN(3), r.IntN(2 * want), 4 * want}[r.IntN(6)]
}

// pixelsAndScores are an image and an output tensor of any size.
func pixelsAndScores(r *rand.Rand, m *infer.Model) (ok bool, _ error) {
	if r.IntN(2) == 0 {
		want := m.Height * m.Width * 3
		n := anyNear(r, want)
		if err := m.Preprocess(make([]byte, m.Input.Type.Bytes()), make([]byte, n)); n != want {
			return false, says(err, fmt.Sprintf("an image of %d bytes", n), fmt.Sprintf("takes %d (%d, %d, 3)", want, m.Height, m.Width))
		} else {
			return true, err
		}
	}
	n := anyNear(r, m.Classes)
	if err := m.Scores(make([]float32, n), make([]byte, m.Output.Type.Bytes())); n != m.Classes {
		return false, says(err, fmt.Sprintf("room for %d scores of %d classes", n, m.Classes))
	} else {
		return true, err
	}
}
