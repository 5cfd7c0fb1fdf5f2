package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mnet-edge/dataset"
	"mnet-edge/model"
)

// checkpointOf is a network as a run would have left it, with scales, shifts and statistics away from where they begin.
func checkpointOf(spec model.Spec, seed uint64) *model.Checkpoint {
	rng := rand.New(rand.NewPCG(seed, 0))
	c := &model.Checkpoint{Spec: spec, Input: model.Input{Mean: 100, Std: 50}, Weights: initialWeights(spec, 0.5, rng)}
	for _, p := range spec.Params() {
		for i := range c.Weights[p.Name].Data {
			if len(p.Shape) == 1 {
				c.Weights[p.Name].Data[i] += float32(0.3 * rng.Float64())
			}
		}
	}
	return c
}

// What teachers say is each one's softmax at the recipe's temperature, by its own normalization and running statistics, about its share of the
// batch; where a run mirrors images, about the first half of that mirrored. They are the same whether the step asks or it was done before.
func TestAnswers(t *testing.T) {
	be, spec := goBackend(t), tinySpec(model.NetD)
	teachers := []*model.Checkpoint{checkpointOf(tinySpec(model.NetC), 3), checkpointOf(tinySpec(model.NetD), 4)}
	pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), 5, spec)
	for flip, asked := range map[Flip][]struct {
		teacher  int
		mirrored bool
	}{
		FlipNone:        {{0, false}, {0, false}, {1, false}, {1, false}, {1, false}},
		FlipAlternating: {{0, true}, {0, false}, {1, true}, {1, false}, {1, false}},
	} {
		var want []float64
		for i, a := range asked {
			size := len(pixels) / len(labels)
			want = append(want, shares(logitsOf(t, be, teachers[a.teacher], pixels[i*size:(i+1)*size], a.mirrored), 2)...)
		}
		for _, given := range [][]*teacher{
			{{run: teachers[0]}, {run: teachers[1]}},
			{{run: teachers[0]}, {asked: answersOf(t, be, teachers[1])}},
			{{asked: answersOf(t, be, teachers[0])}, {run: teachers[1]}},
		} {
			student := &trainer{backend: be, spec: spec, recipe: Recipe{LabelSmoothing: 0.2, Distill: 0.7, Temperature: 2, Flip: flip}, state: make([][]compute.Buffer, 1)}
			if err := taughtBy(given...)(student); err != nil {
				t.Fatal(err)
			}
			var inputs []compute.Buffer
			for i, teacher := range student.teachers {
				if teacher.asked == nil {
					defer release(teacher.state)
					inputs = append(inputs, teacher.state[0]...)
					continue
				}
				logits, err := student.askedOn(0, i, pixels)
				if err != nil {
					t.Fatal(err)
				}
				defer logits.Finalize()
				inputs = append(inputs, logits)
			}
			got := results(t, student, pixels, labels, inputs, func(_ *Graph, pixels, labels *Node) []*Node {
				return []*Node{student.goal(pixels, labels, dtypes.Float32).taught}
			})[0]
			near(t, fmt.Sprintf("answers, images mirrored: %s, the first asked before the step: %v", flip, given[0].asked != nil), got, want, 1e-5, 1e-5)
		}
	}
}

// logitsOf are those of checkpoint c (Classes) for one image (H, W, 3), as it is or mirrored.
func logitsOf(t *testing.T, be compute.Backend, c *model.Checkpoint, image []byte, mirrored bool) []float32 {
	t.Helper()
	if mirrored {
		image = slices.Clone(image)
		for row := range slices.Chunk(image, 3*c.Spec.Size) {
			dataset.MirrorRow(row)
		}
	}
	asked := testTrainer(t, be, c.Spec, Recipe{Batch: 2}, 1)
	asked.input = c.Input
	if err := asked.setWeights(c.Weights); err != nil {
		t.Fatal(err)
	}
	return results(t, asked, image, []int32{0}, asked.weights(), func(g *Graph, pixels, _ *Node) []*Node {
		return []*Node{(&net{spec: c.Spec, input: c.Input, weights: asked.parameters(g, dtypes.Float32)}).logits(pixels)}
	})[0]
}

// Each pixel is the mean of those it stands for, in each of the images.
func TestAveraged(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	pixels := make([]byte, 2*12*12*3)
	for i := range pixels {
		pixels[i] = byte(rng.Uint32())
	}
	if got := averaged(pixels, 12, 12); !slices.Equal(got, pixels) {
		t.Error("pixels at their own size are others")
	}
	for _, size := range []int{6, 4} {
		side := 12 / size
		got := averaged(pixels, 12, size)
		for n := range 2 {
			for y := range size {
				for x := range size {
					for c := range 3 {
						sum := 0.
						for dy := range side {
							for dx := range side {
								sum += float64(pixels[((n*12+y*side+dy)*12+x*side+dx)*3+c])
							}
						}
						want := math.Floor(sum/float64(side*side) + 0.5)
						if v := got[((n*size+y)*size+x)*3+c]; float64(v) != want {
							t.Fatalf("size %d, image %d, (%d, %d), channel %d: %d, want %v", size, n, y, x, c, v, want)
						}
					}
				}
			}
		}
	}
}

// answersOf are checkpoint c's as those of a model in a file.
func answersOf(t *testing.T, be compute.Backend, c *model.Checkpoint) *Answers {
	image := 3 * c.Spec.Size * c.Spec.Size
	return &Answers{
		Size: c.Spec.Size, Labels: c.Labels, SHA256: netRecord(c).SHA256,
		Ask: func(logits []float32, pixels []byte) error {
			for i := range len(pixels) / image {
				copy(logits[i*c.Spec.Classes:], logitsOf(t, be, c, pixels[i*image:(i+1)*image], false))
			}
			return nil
		},
		Close: func() error { return nil },
	}
}

// shares is the softmax of z at a temperature, by its definition.
func shares(z []float32, temperature float64) []float64 {
	sum, out := 0., make([]float64, len(z))
	for i, v := range z {
		out[i] = math.Exp(float64(v) / temperature)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// The loss against its definition, and its gradient against differentiation, with and without a teacher.
func TestGoal(t *testing.T) {
	logits := [][]float32{{1, 2, 3}, {9, -9, 0}, {-5, 7, 7.5}}
	answers := [][]float32{{0.2, 0.3, 0.5}, {0.9, 0.1, 0}, {0, 1, 0}}
	labels := []int32{2, 0, 1}
	for _, c := range []struct{ smoothing, share, temperature float64 }{{0.1, 0, 1}, {0.1, 0.7, 3}, {0, 1, 4}, {0.2, 0.5, 0.5}} {
		var want []float64
		for i, z := range logits {
			own, taught := 0., 0.
			for k := range z {
				label := c.smoothing / 3
				if int32(k) == labels[i] {
					label += 1 - c.smoothing
				}
				own -= label * math.Log(shares(z, 1)[k])
				taught -= float64(answers[i][k]) * math.Log(shares(z, c.temperature)[k])
			}
			want = append(want, (1-c.share)*own+c.share*c.temperature*c.temperature*taught)
		}
		got := evaluate(t, func(in []*Node) []*Node {
			q := goal{labels: targets(in[1], 3, c.smoothing, in[0].DType())}
			if c.share > 0 {
				q.taught, q.share, q.temperature = in[2], c.share, c.temperature
			}
			loss := q.loss(in[0])
			return []*Node{loss, q.gradient(in[0]), Gradient(ReduceAllSum(loss), in[0])[0], ReduceAllSum(in[2])} // every input has a use
		}, tensors.FromValue(logits), tensors.FromValue(labels), tensors.FromValue(answers))
		near(t, fmt.Sprintf("loss of %+v", c), got[0], want, 1e-5, 1e-6)
		derivative := make([]float64, len(got[2]))
		for i, v := range got[2] {
			derivative[i] = float64(v)
		}
		near(t, fmt.Sprintf("gradient of %+v", c), got[1], derivative, 1e-5, 1e-6)
	}
}

// Taught by answers alone a net learns what its labels, all wrong, would not have told it; interrupted and resumed, it ends with the same
// weights; and the run keeps to its teacher.
func TestRunTaught(t *testing.T) {
	set := patterns(160, 40)
	first := tinyConfig(t)
	first.Spec, first.Epochs, first.Batch, first.LR = tinySpec(model.NetC), 8, 16, 0.1
	if res, err := Run(context.Background(), first, set); err != nil || res.TestTop1 < 0.9 {
		t.Fatalf("the teacher: %+v, error %v", res, err)
	}
	wrong := mislabelled(set)
	c := tinyConfig(t)
	c.Spec, c.Epochs, c.Batch, c.LR, c.Teachers, c.Changes = tinySpec(model.NetC), 8, 16, 0.1, []string{first.Out}, []byte(`{"mix": 0}`)
	whole, err := Run(context.Background(), c, wrong)
	if err != nil {
		t.Fatal(err)
	}
	last := loadLast(t, c)
	if correct := rightOf40(t, last, set); correct < 36 {
		t.Errorf("%d of 40 right after learning the teacher's answers", correct)
	}
	record, err := LoadRecord(c.Out)
	if err != nil || len(record.TaughtBy) != 1 || record.TaughtBy[0].Net != first.Spec || record.TaughtBy[0].TestTop1 < 0.9 {
		t.Errorf("recorded teacher %+v, error %v", record.TaughtBy, err)
	}
	if card := string(mustRead(t, c.Out, cardFile)); !strings.Contains(card, "| teacher | net C") {
		t.Errorf("card.md does not name the teacher:\n%s", card)
	}

	broken := c
	broken.Out = filepath.Join(t.TempDir(), "broken")
	interrupt(t, broken, wrong)
	broken.Resume = true
	other := broken
	other.Teachers = []string{c.Out}
	if _, err := Run(context.Background(), other, wrong); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "teacher") {
		t.Errorf("resumed with another teacher: error %v", err)
	}
	again, err := Run(context.Background(), broken, wrong)
	if err != nil {
		t.Fatal(err)
	}
	resumed := loadLast(t, broken)
	if again.TestCorrect != whole.TestCorrect || !reflect.DeepEqual(resumed.Weights, last.Weights) {
		t.Errorf("resumed: %d right, %d in one go", again.TestCorrect, whole.TestCorrect)
	}
}

// mislabelled is set with every training image's label wrong.
func mislabelled(set *dataset.Set) *dataset.Set {
	wrong := *set
	wrong.Train.Labels = slices.Clone(set.Train.Labels)
	for i, l := range wrong.Train.Labels {
		wrong.Train.Labels[i] = (l + 1) % 4
	}
	return &wrong
}

// rightOf40 is how many of set's 40 test images checkpoint c gets right.
func rightOf40(t *testing.T, c *model.Checkpoint, set *dataset.Set) int {
	t.Helper()
	tr := testTrainer(t, goBackend(t), c.Spec, Recipe{Batch: 16}, 40)
	tr.input = c.Input
	var err error
	if tr.eval, err = tr.compile("evaluation", 40, tr.buildEval); err != nil { // anew, with that normalization
		t.Fatal(err)
	}
	if err := tr.setWeights(c.Weights); err != nil {
		t.Fatal(err)
	}
	labels := make([]int32, set.Test.N)
	for i, l := range set.Test.Labels {
		labels[i] = int32(l)
	}
	_, correct, _, err := tr.Eval(set.Test.Pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	return correct
}

// patternRule tells the classes of patterns apart by where the brightness varies, and is a teacher that no one trained.
func patternRule(classes []string, closed *int) *Answers {
	const size = 16
	sure := func(image []byte) int {
		var rows, columns [size]float64
		mean := 0.
		for p := range size * size {
			v := float64(image[3*p]) / size
			rows[p/size] += v
			columns[p%size] += v
			mean += v / size
		}
		spread := func(means [size]float64) float64 { return slices.Max(means[:]) - slices.Min(means[:]) }
		switch {
		case max(spread(rows), spread(columns)) > 60 && spread(rows) > spread(columns):
			return 0
		case max(spread(rows), spread(columns)) > 60:
			return 1
		case mean > 80:
			return 2
		}
		return 3
	}
	return &Answers{
		Size: size, Labels: classes, SHA256: "a rule's",
		Ask: func(logits []float32, pixels []byte) error {
			clear(logits)
			for i := range len(logits) / 4 {
				logits[4*i+sure(pixels[i*3*size*size:])] = 20
			}
			return nil
		},
		Close: func() error { *closed++; return nil },
	}
}

// A model in a file teaches as a run does: what it answers is learnt, a run that is resumed ends with the same weights and keeps to it, and it is closed in the end.
func TestRunTaughtByFile(t *testing.T) {
	set := patterns(160, 40)
	wrong, opened, closed := mislabelled(set), 0, 0
	c := tinyConfig(t)
	c.Spec, c.Epochs, c.Batch, c.LR, c.Teachers, c.Changes = tinySpec(model.NetC), 8, 16, 0.1, []string{"models/rule.tflite"}, []byte(`{"mix": 0}`)
	c.OpenTeacher = func(name string) (*Answers, error) {
		if name != "models/rule.tflite" {
			return nil, nil
		}
		opened++
		return patternRule(set.Classes, &closed), nil
	}
	if _, err := Run(t.Context(), c, wrong); err != nil {
		t.Fatal(err)
	}
	whole := loadLast(t, c)
	if correct := rightOf40(t, whole, set); correct < 36 {
		t.Errorf("%d of 40 right after learning the teacher's answers", correct)
	}
	record, err := LoadRecord(c.Out)
	if want := []NetRecord{{File: "rule.tflite", SHA256: "a rule's"}}; err != nil || !reflect.DeepEqual(record.TaughtBy, want) {
		t.Errorf("recorded teacher %+v, want %+v, error %v", record.TaughtBy, want, err)
	}
	if card := string(mustRead(t, c.Out, cardFile)); !strings.Contains(card, "| teacher | rule.tflite (its sha256 `a rule's`…) |") {
		t.Errorf("card.md does not name the teacher:\n%s", card)
	}
	broken := c
	broken.Out = filepath.Join(t.TempDir(), "broken")
	interrupt(t, broken, wrong)
	if broken.Resume = true; opened != closed {
		t.Errorf("opened %d times, closed %d times", opened, closed)
	}
	if _, err := Run(t.Context(), broken, wrong); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(loadLast(t, broken).Weights, whole.Weights) {
		t.Error("resumed, the run ends with other weights")
	}
	for name, change := range map[string]func(*Answers){
		"other classes": func(a *Answers) { a.Labels = []string{"rows", "columns", "dark", "slants"} },
		"another size":  func(a *Answers) { a.Size = 12 },
	} {
		other := c
		other.Out = filepath.Join(t.TempDir(), "other")
		other.OpenTeacher = func(name string) (*Answers, error) {
			opened++
			a := patternRule(set.Classes, &closed)
			change(a)
			return a, nil
		}
		if refused(t, name, other, wrong, model.ErrCheckpoint); opened != closed {
			t.Errorf("%s: opened %d times, closed %d times", name, opened, closed)
		}
	}
	// One that has no answer to some image ends the run where it was, and is told from a pupil that diverges.
	lost, steps := c, 0
	lost.Out = filepath.Join(t.TempDir(), "lost")
	lost.OpenTeacher = func(string) (*Answers, error) {
		a := patternRule(set.Classes, &closed)
		rule := a.Ask
		a.Ask = func(logits []float32, pixels []byte) error {
			if steps++; steps == 3 {
				logits[1] = float32(math.Inf(1))
				return nil
			}
			return rule(logits, pixels)
		}
		return a, nil
	}
	if _, err := Run(t.Context(), lost, wrong); !errors.Is(err, model.ErrCheckpoint) || errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "teacher 1 answers +Inf") {
		t.Errorf("a teacher that answers with infinity: %v", err)
	}
}

// Patches are other images from the first epoch at the whole resolution on, and the card says so.
func TestRunPatches(t *testing.T) {
	set := patterns(40, 8)
	first := brief(t, set)
	run := func(changes string) (losses history, card string) {
		c := tinyConfig(t)
		c.Spec.Enlarge, c.Epochs, c.Teachers, c.Changes = 2, 2, []string{first}, []byte(changes)
		return told(t, c, set)
	}
	whole, card := run(`{"mix": 0, "grow": 0.5}`)
	if strings.Contains(card, "rectangle") {
		t.Error("card.md says that images are patched")
	}
	patched, card := run(`{"mix": 0, "grow": 0.5, "patch": 1}`)
	if patched[0].TrainLoss != whole[0].TrainLoss || patched[1].TrainLoss == whole[1].TrainLoss {
		t.Errorf("training loss %v and %v, without patches %v and %v", patched[0].TrainLoss, patched[1].TrainLoss, whole[0].TrainLoss, whole[1].TrainLoss)
	}
	if !strings.Contains(card, "a rectangle of another image over each one in 1 of the batches, after the epochs at half the resolution") {
		t.Errorf("card.md:\n%s", card)
	}
}

// A teacher that can't teach this is refused before there is a run folder.
func TestTeacherRefused(t *testing.T) {
	set := patterns(40, 8)
	first := brief(t, set)
	renamed := *set
	renamed.Classes = []string{"rows", "columns", "dark", "slants"}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   error
	}{
		{"no run", func(c *Config) { c.Teachers = []string{t.TempDir()} }, model.ErrCheckpoint},
		{"other classes", func(*Config) {}, model.ErrCheckpoint},
		{"no teacher", func(c *Config) { c.Teachers, c.Changes = nil, []byte(`{"distill": 0.5}`) }, ErrConfig},
		{"nothing learnt from it", func(c *Config) { c.Changes = []byte(`{"distill": 0, "mix": 0}`) }, ErrConfig},
		{"mixed images have no label", func(c *Config) { c.Changes = []byte(`{"distill": 0.9}`) }, ErrConfig},
		{"nor have patched ones", func(c *Config) { c.Changes = []byte(`{"distill": 0.9, "mix": 0, "patch": 0.1}`) }, ErrConfig},
		{"more than all", func(c *Config) { c.Changes = []byte(`{"patch": 0.6}`) }, ErrConfig},
	} {
		config := tinyConfig(t)
		config.Teachers = []string{first}
		c.change(&config)
		refused(t, c.name, config, &renamed, c.want)
	}
}
