package train

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 the step reads as its equations

	"mnet-edge/model"
)

// trainer holds a network's weights and optimizer state on the device, with the programs compiled for it: a step, an evaluation, and those of recipes that want others.
type trainer struct {
	backend compute.Backend
	spec    model.Spec
	input   model.Input
	recipe  Recipe
	params  []param

	ranges   map[string]model.Range // of a quantization-aware run's activations; nil in any other; see qat.go
	teachers []*teacher             // whose answers are learnt too; nil: no one's; see teacher.go

	devices int // that share a step's batch; 0: one; see devices.go

	state [][]compute.Buffer // on each device the same: the weights, one a param, then the momenta, one a trainable param

	steps [stages]*program // nil of a stage that the recipe does not have
	eval  *program
}

// stage is what the steps of an epoch are.
type stage int

const (
	half   stage = iota // at half the resolution: Recipe.Grow
	whole               // at the whole
	uphill              // at the whole, the gradient taken uphill: Recipe.SAM
	stages
)

// program is a compiled graph with its batch size and the number of devices that share it.
type program struct {
	graph   *Graph
	exec    compute.Executable
	batch   int
	devices int
}

// newTrainer puts weights and momenta (nil: zero) on the device and compiles the training step for recipe.Batch images
// and the evaluation for evalBatch. Devices share the step. prepare comes in between: it gives the trainer ranges, or teachers.
func newTrainer(be compute.Backend, spec model.Spec, in model.Input, r Recipe, devices, evalBatch int, weights, momenta model.Weights,
	prepare ...func(*trainer) error) (*trainer, error) {
	t := &trainer{backend: be, spec: spec, input: in, recipe: r, params: deviceParams(spec), devices: devices}
	err := t.upload(weights, momenta)
	for _, f := range prepare {
		if err == nil {
			err = f(t)
		}
	}
	if err == nil {
		err = t.compileAll(evalBatch)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// compileAll compiles the steps for the recipe's batch and the evaluation for evalBatch.
func (t *trainer) compileAll(evalBatch int) (err error) {
	for stage, step := range [stages]struct {
		name   string
		wanted bool
		build  func(g *Graph, pixels, labels *Node) []*Node
	}{
		half:   {"step at half the resolution", t.recipe.Grow > 0, t.half().buildStep},
		whole:  {"step", true, t.buildStep},
		uphill: {"step uphill", t.recipe.SAM > 0, t.buildSAMStep},
	} {
		if !step.wanted {
			continue
		}
		if t.steps[stage], err = t.compileFor(max(1, t.devices), step.name, t.recipe.Batch, step.build); err != nil {
			return err
		}
	}
	t.eval, err = t.compile("evaluation", evalBatch, t.buildEval)
	return err
}

// half is t for building graphs in which the last layers look half as finely at the same images: these are enlarged half as often, or halved by
// a block that else leaves it out, or else averaged. Those layers work on a quarter of the pixels. A run may begin so, and learn in few epochs
// at the whole resolution what is left to learn (Howard, "Training ImageNet in 3 hours for 25 minutes", 2018; Tan and Le, "EfficientNetV2",
// 2021, section 4).
func (t *trainer) half() *trainer {
	small := *t
	small.spec = halved(t.spec)
	return &small
}

// halved is the net of trainer.half; it passes its check where s can be halved.
func halved(s model.Spec) model.Spec {
	switch {
	case s.Enlarge == 2:
		s.Enlarge = 0
	case s.Enlarge != 0:
		s.Enlarge /= 2
	case s.OutputStride == model.SourceStride/2:
		s.OutputStride = 0
	case s.OutputStride != 0:
		s.OutputStride *= 2
	default:
		s.Size /= 2
	}
	return s
}

// sized is pixels (N, H, W, 3) as (N, size, size, 3), each the mean of those it stands for: H and W are multiples of size.
func sized(pixels *Node, size int) *Node {
	d := pixels.Shape().Dimensions
	if d[1] == size && d[2] == size {
		return pixels
	}
	blocks := Reshape(ConvertDType(pixels, dtypes.Float32), d[0], size, d[1]/size, size, d[2]/size, d[3])
	return ReduceMean(blocks, 2, 4)
}

// close gives the device's memory back.
func (t *trainer) close() {
	release(t.state)
	t.state = nil
	for _, teacher := range t.teachers {
		release(teacher.state)
	}
	for _, p := range append(t.steps[:], t.eval) {
		if p != nil {
			p.graph.Finalize()
		}
	}
}

// release gives back what the devices hold.
func release(state [][]compute.Buffer) {
	for _, buffers := range state {
		for _, b := range buffers {
			b.Finalize()
		}
	}
}

// compile builds a graph over one batch of pixels and labels and compiles it.
func (t *trainer) compile(name string, batch int, build func(g *Graph, pixels, labels *Node) []*Node) (p *program, err error) {
	return t.compileFor(1, name, batch, build)
}

// compileFor is compile for devices that run the program together, each on an equal part of the batch.
func (t *trainer) compileFor(devices int, name string, batch int, build func(g *Graph, pixels, labels *Node) []*Node) (p *program, err error) {
	defer recovered(&err)
	g := NewGraph(t.backend, name)
	if err := share(g, devices); err != nil {
		return nil, err
	}
	pixels := Parameter(g, "pixels", shapes.Make(dtypes.Uint8, batch/devices, t.spec.Size, t.spec.Size, 3))
	labels := Parameter(g, "labels", shapes.Make(dtypes.Int32, batch/devices))
	if devices > 1 {
		Parameter(g, deviceInput, shapes.Make(dtypes.Int32))
	}
	if err := g.Compile(build(g, pixels, labels)...); err != nil {
		return nil, fmt.Errorf("train: compiling the %s: %w", name, err)
	}
	return &program{g, g.Executable(), batch, devices}, nil
}

// parameters adds an input for each of t's params to the graph.
func (t *trainer) parameters(g *Graph, dtype dtypes.DType) map[string]*Node {
	return parameters(g, t.params, "", dtype)
}

// parameters adds an input for each of params to the graph, called owner and the param's name.
func parameters(g *Graph, params []param, owner string, dtype dtypes.DType) map[string]*Node {
	w := map[string]*Node{}
	for _, p := range params {
		w[p.Name] = Parameter(g, owner+p.Name, shapes.Make(dtype, p.shape...))
	}
	return w
}

// buildStep is one step of training: the loss's gradient by every trainable weight, and the recipe's update of each with it.
//
//	inputs   pixels, labels, the device's number if there are several, rate, each teacher's weights or logits, weights, momenta
//	outputs  mean loss, number of hits, weights, momenta
func (t *trainer) buildStep(g *Graph, pixels, labels *Node) []*Node {
	return t.buildStepBy(t.gradients, g, pixels, labels)
}

// buildSAMStep is buildStep by the gradient uphill.
func (t *trainer) buildSAMStep(g *Graph, pixels, labels *Node) []*Node {
	return t.buildStepBy(t.gradientsUphill, g, pixels, labels)
}

// buildStepBy is buildStep with the gradients that are given.
func (t *trainer) buildStepBy(gradients gradientsOf, g *Graph, pixels, labels *Node) []*Node {
	rate := Parameter(g, "rate", shapes.Make(dtypes.Float32))
	q := t.goal(pixels, labels, dtypes.Float32) // before the net: inputs are in the order in which the graph meets them
	n, loss, correct, grads := gradients(t.parameters(g, dtypes.Float32), sized(pixels, t.spec.Size), labels, q)

	weights, directions, momenta := map[string]*Node{}, map[string]*Node{}, []*Node{}
	var matrices []string
	for _, p := range t.params {
		if !p.Trainable {
			continue
		}
		w := n.weights[p.Name]
		var m *Node
		directions[p.Name], m = t.recipe.push(p, w, grads[p.Name], Parameter(g, "momentum of "+p.Name, w.Shape()))
		if momenta = append(momenta, m); t.recipe.byMuon(p) {
			matrices = append(matrices, p.Name)
		}
	}
	n.orthogonalize(directions, matrices)
	for _, p := range t.params {
		if p.Trainable {
			weights[p.Name] = t.recipe.moved(p, n.weights[p.Name], directions[p.Name], rate)
		}
	}
	for _, l := range t.spec.Layers() {
		if l.BN == "" {
			continue
		}
		mean, variance := l.BN+".running_mean", l.BN+".running_var"
		if weights[mean], weights[variance] = n.weights[mean], n.weights[variance]; t.ranges == nil {
			weights[mean], weights[variance] = n.running(l.BN)
		}
	}
	outputs := []*Node{loss, correct}
	for _, p := range t.params {
		outputs = append(outputs, weights[p.Name])
	}
	return append(outputs, momenta...)
}

// gradientsOf are the gradients of a batch; see gradients.
type gradientsOf func(weights map[string]*Node, pixels, labels *Node, q goal) (n *net, loss, correct *Node, grads map[string]*Node)

// gradients is a training pass over one batch with the loss's gradients by the weights' names. It is written out, see pass, but for
// quantization-aware runs, which GoMLX differentiates.
func (t *trainer) gradients(weights map[string]*Node, pixels, labels *Node, q goal) (n *net, loss, correct *Node, grads map[string]*Node) {
	if t.ranges == nil {
		n = &net{spec: t.spec, input: t.input, weights: weights, train: true, batch: map[string]moments{}, devices: t.devices}
		loss, correct, grads = n.gradients(pixels, labels, q)
		return n, loss, correct, grads
	}
	n, loss, correct = t.forward(weights, pixels, labels, q)
	return n, loss, correct, t.differentiate(loss, weights)
}

// differentiate is the derivative of loss for each trainable weight, by name, as GoMLX finds it.
func (t *trainer) differentiate(loss *Node, weights map[string]*Node) map[string]*Node {
	var ws []*Node
	for _, p := range t.params {
		if p.Trainable {
			ws = append(ws, weights[p.Name])
		}
	}
	found, grads := Gradient(loss, ws...), map[string]*Node{}
	for _, p := range t.params {
		if p.Trainable {
			grads[p.Name] = found[len(grads)]
		}
	}
	return grads
}

// forward is a training pass over one batch, for GoMLX to differentiate: the specification of pass, to which tests hold that, and what
// quantization-aware runs take.
func (t *trainer) forward(weights map[string]*Node, pixels, labels *Node, q goal) (n *net, loss, correct *Node) {
	n = &net{spec: t.spec, input: t.input, weights: weights, train: true, batch: map[string]moments{}}
	logits := t.logits(n, pixels)
	return n, ReduceAllMean(q.loss(logits)), hits(logits, labels)
}

// logits are those of n, in float or as int8 will have them.
func (t *trainer) logits(n *net, pixels *Node) *Node {
	if t.ranges != nil {
		return n.quantizedLogits(pixels, t.ranges)
	}
	return n.logits(pixels)
}

// buildEval is a pass with the running statistics and without smoothing. Outputs: the summed loss and the number of
// hits over the rows whose label is not negative, and the class predicted for each row (N).
func (t *trainer) buildEval(g *Graph, pixels, labels *Node) []*Node {
	n := &net{spec: t.spec, input: t.input, weights: t.parameters(g, dtypes.Float32)}
	return answers(t.logits(n, pixels), labels)
}

// buildEvalWithFlip is buildEval with the logits of the images and of their mirror images averaged.
func (t *trainer) buildEvalWithFlip(g *Graph, pixels, labels *Node) []*Node {
	n := &net{spec: t.spec, input: t.input, weights: t.parameters(g, dtypes.Float32)}
	logits := Add(t.logits(n, pixels), t.logits(n, Reverse(pixels, 2)))
	return answers(MulScalar(logits, 0.5), labels)
}

func answers(logits, labels *Node) []*Node {
	loss := crossEntropy(logits, targets(labels, logits.Shape().Dimensions[1], 0, logits.DType()))
	counted := ConvertDType(GreaterOrEqual(labels, ZerosLike(labels)), dtypes.Float32)
	return []*Node{ReduceAllSum(Mul(loss, counted)), hits(logits, labels), ArgMax(logits, 1, dtypes.Int32)}
}

// Step trains on one batch of recipe.Batch images: pixels (N, H, W, 3) and labels (N). It returns the mean loss before the
// step and how many images were right. After an error the trainer's weights are gone.
func (t *trainer) Step(pixels []byte, labels []int32, rate float64) (loss float64, correct int, err error) {
	return t.stepBy(t.steps[whole], pixels, labels, rate)
}

// stepBy is Step by one of the trainer's programs for it.
func (t *trainer) stepBy(p *program, pixels []byte, labels []int32, rate float64) (loss float64, correct int, err error) {
	defer recovered(&err)
	batch, err := t.batch(p, pixels, labels)
	if err != nil {
		return 0, 0, err
	}
	var inputs []compute.Buffer
	var donate []bool // the step may write over what it will not need again: all but the teachers
	for d, state := range t.state {
		lr, err := t.backend.BufferFromFlatData(compute.DeviceNum(d), []float32{float32(rate)}, shapes.Make(dtypes.Float32))
		if err != nil {
			return 0, 0, fmt.Errorf("train: %w", err)
		}
		give := func(donated bool, buffers ...compute.Buffer) {
			for _, b := range buffers {
				inputs, donate = append(inputs, b), append(donate, donated)
			}
		}
		give(true, batch[d]...)
		give(true, lr)
		part := len(pixels) / p.devices
		for i, teacher := range t.teachers {
			if teacher.asked == nil {
				give(false, teacher.state[d]...)
				continue
			}
			logits, err := t.askedOn(d, i, pixels[d*part:(d+1)*part])
			if err != nil {
				return 0, 0, err
			}
			give(true, logits)
		}
		give(true, state...)
	}
	outputs, err := p.exec.Execute(inputs, donate, 0)
	if err != nil {
		t.state = nil
		return 0, 0, fmt.Errorf("train: step: %w", err)
	}
	each := len(outputs) / p.devices
	for d := range t.state {
		t.state[d] = outputs[d*each+2 : (d+1)*each : (d+1)*each]
		if d > 0 { // the first device's sums are everyone's
			outputs[d*each].Finalize()
			outputs[d*each+1].Finalize()
		}
	}
	return readSums(outputs[0], outputs[1])
}

// Eval runs up to eval.batch images, pixels (N, H, W, 3) and labels (N), and returns their summed loss, how many were right,
// and what each was taken for (N).
func (t *trainer) Eval(pixels []byte, labels []int32) (loss float64, correct int, predicted []int32, err error) {
	defer recovered(&err)
	n := len(labels)
	if short := t.eval.batch - len(labels); short > 0 {
		filled := make([]int32, t.eval.batch)
		for i := copy(filled, labels); i < len(filled); i++ {
			filled[i] = -1
		}
		labels = filled
		pixels = append(pixels[:len(pixels):len(pixels)], make([]byte, short*t.spec.Size*t.spec.Size*3)...)
	}
	outputs, err := t.forwards(t.eval, pixels, labels)
	if err != nil {
		return 0, 0, nil, err
	}
	predicted = make([]int32, t.eval.batch)
	err = outputs[2].ToFlatData(predicted)
	outputs[2].Finalize()
	if err != nil {
		return 0, 0, nil, fmt.Errorf("train: reading the predictions: %w", err)
	}
	loss, correct, err = readSums(outputs[0], outputs[1])
	return loss, correct, predicted[:n], err
}

// forwards runs p, which takes a batch and the weights, on the first device.
func (t *trainer) forwards(p *program, pixels []byte, labels []int32) ([]compute.Buffer, error) {
	inputs, err := t.batch(p, pixels, labels)
	if err != nil {
		return nil, err
	}
	weights := t.weights()
	donated := append([]bool{true, true}, make([]bool, len(weights))...)
	outputs, err := p.exec.Execute(append(inputs[0], weights...), donated, 0)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", p.graph.Name(), err)
	}
	return outputs, nil
}

// batch copies one batch to the program's devices, an equal part to each: for each device its pixels and its labels, and of several its number.
func (t *trainer) batch(p *program, pixels []byte, labels []int32) ([][]compute.Buffer, error) {
	size := t.spec.Size
	if len(labels) != p.batch || len(pixels) != p.batch*size*size*3 {
		return nil, fmt.Errorf("train: batch of %d labels and %d bytes of pixels, the %s takes %d images of %dx%d",
			len(labels), len(pixels), p.graph.Name(), p.batch, size, size)
	}
	part := p.batch / p.devices
	buffers := make([][]compute.Buffer, p.devices)
	for d := range p.devices {
		from, to := d*part, (d+1)*part
		x, err := t.backend.BufferFromFlatData(compute.DeviceNum(d), pixels[from*size*size*3:to*size*size*3], shapes.Make(dtypes.Uint8, part, size, size, 3))
		if err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
		y, err := t.backend.BufferFromFlatData(compute.DeviceNum(d), labels[from:to], shapes.Make(dtypes.Int32, part))
		if err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
		if buffers[d] = []compute.Buffer{x, y}; p.devices < 2 {
			continue
		}
		me, err := t.backend.BufferFromFlatData(compute.DeviceNum(d), []int32{int32(d)}, shapes.Make(dtypes.Int32))
		if err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
		buffers[d] = append(buffers[d], me)
	}
	return buffers, nil
}

// readSums reads and releases the two scalars that every program begins its outputs with.
func readSums(loss, correct compute.Buffer) (float64, int, error) {
	var l [1]float32
	var c [1]int32
	err := loss.ToFlatData(l[:])
	if err == nil {
		err = correct.ToFlatData(c[:])
	}
	loss.Finalize()
	correct.Finalize()
	if err != nil {
		return math.NaN(), 0, fmt.Errorf("train: reading the loss: %w", err)
	}
	return float64(l[0]), int(c[0]), nil
}

// weights and momenta are the first device's.
func (t *trainer) weights() []compute.Buffer { return t.state[0][:len(t.params)] }
func (t *trainer) momenta() []compute.Buffer { return t.state[0][len(t.params):] }

// upload puts weights and momenta (nil: zero) on each device.
func (t *trainer) upload(weights, momenta model.Weights) error {
	t.state = make([][]compute.Buffer, max(1, t.devices))
	for d := range t.state {
		var err error
		if t.state[d], err = putWeights(t.backend, d, t.params, weights); err != nil {
			return err
		}
		for _, p := range t.params {
			if !p.Trainable {
				continue
			}
			m := make([]float32, p.Count())
			if momenta != nil {
				m = p.toDevice(momenta[p.Name].Data)
			}
			b, err := put(t.backend, d, p, m)
			if err != nil {
				return err
			}
			t.state[d] = append(t.state[d], b)
		}
	}
	return nil
}

// setWeights replaces the weights on each device.
func (t *trainer) setWeights(weights model.Weights) error {
	for d, state := range t.state {
		for _, b := range state[:len(t.params)] {
			b.Finalize()
		}
		momenta := state[len(t.params):]
		var err error
		if t.state[d], err = putWeights(t.backend, d, t.params, weights); err != nil {
			return err
		}
		t.state[d] = append(t.state[d], momenta...)
	}
	return nil
}

// putWeights puts the weights of params on a device. After an error it returns those that are there.
func putWeights(be compute.Backend, device int, params []param, weights model.Weights) (state []compute.Buffer, err error) {
	for _, p := range params {
		b, err := put(be, device, p, p.toDevice(weights[p.Name].Data))
		if err != nil {
			return state, err
		}
		state = append(state, b)
	}
	return state, nil
}

func put(be compute.Backend, device int, p param, data []float32) (compute.Buffer, error) {
	b, err := be.BufferFromFlatData(compute.DeviceNum(device), data, shapes.Make(dtypes.Float32, p.shape...))
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", p.Name, err)
	}
	return b, nil
}

// download copies weights and momenta from the device, in PyTorch's layouts.
func (t *trainer) download() (weights, momenta model.Weights, err error) {
	get := func(p param, b compute.Buffer) (model.Tensor, error) {
		data := make([]float32, p.Count())
		if err := b.ToFlatData(data); err != nil {
			return model.Tensor{}, fmt.Errorf("train: %s: %w", p.Name, err)
		}
		return model.Tensor{Shape: p.Shape, Data: p.toModel(data)}, nil
	}
	weights, momenta = model.Weights{}, model.Weights{}
	for i, p := range t.params {
		if weights[p.Name], err = get(p, t.weights()[i]); err != nil {
			return nil, nil, err
		}
		if !p.Trainable {
			continue
		}
		if momenta[p.Name], err = get(p, t.momenta()[len(momenta)]); err != nil {
			return nil, nil, err
		}
	}
	return weights, momenta, nil
}

// recovered turns a panic of the graph builder, which reports errors that way, into an error.
func recovered(err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("train: %w: %w", errInternal, r)
	default:
		*err = fmt.Errorf("train: %w: %v", errInternal, r)
	}
}
