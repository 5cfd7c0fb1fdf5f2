package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"

	"mnet-edge/dataset"
	"mnet-edge/model"
)

const (
	evalBatch     = 250
	progressEvery = 100 * time.Millisecond
)

// run is a training run under way.
type run struct {
	c       Config
	recipe  Recipe
	record  Record
	backend string // what this call trains on
	set     *dataset.Set
	input   model.Input
	train   dataset.Split
	val     dataset.Split
	valSum  string // val's digest
	loader  *dataset.Loader
	t       *trainer

	old      *Record           // of the run that is resumed; nil: this is a new one
	last     *model.Checkpoint // where that one was left; nil: before its first checkpoint
	from     *model.Checkpoint // Config.From's, which a new run begins with; nil: none
	trained  *model.Checkpoint // Config.QAT's, likewise
	teachers []*teacher        // Config.Teachers, in that order

	// Where the run is. All of it is in checkpoint "last".
	step    int64   // steps done
	epoch   int     // epochs done, validation included
	sums    sums    // of the epoch under way
	history history // of the epochs done
	seconds float64 // trained in earlier calls of Run, and in this one up to began

	began      time.Time
	saved      time.Time     // when "last" was last stored
	reported   time.Time     // when Progress was last called for a step
	epochBegan time.Time     // when the epoch under way began in this call
	warm       bool          // a step was done in this call
	all        pace          // of this call
	current    pace          // of the epoch under way, in this call
	checking   time.Duration // the last validation took
	notes      []string
}

// pace is how quick steps were. The first one of a call, which the backend does not do as quickly as others, is left out.
type pace struct {
	steps int64
	cost  float64       // in steps at the whole resolution, about
	spent time.Duration // in steps and waiting for data
}

// sums are running totals over the training images of one epoch.
type sums struct {
	loss    float64 // of the batches' means
	correct int64
	seconds float64 // spent on the epoch in earlier calls of Run
}

// Run trains the network c.Spec on set's training images as c says and writes the run's folder. The best epoch is chosen on
// images held out of the training set; the test images are used once, at the end, with the weights of that epoch.
//
// The same Config and data give the same weights, bit for bit on one backend, also when the run was interrupted and resumed
// any number of times; one that has ended is left as it is. When ctx is cancelled, Run stores checkpoint "last" and returns an error that wraps ctx's.
func Run(ctx context.Context, c Config, set *dataset.Set) (*Result, error) {
	c, recipe, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &run{c: c, recipe: recipe, set: set, began: time.Now()}
	defer r.closeTeachers()
	if c.Resume {
		unlock, err := r.reopen()
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	if r.last == nil {
		if err := errors.Join(r.loadFrom(), r.loadQuantized()); err != nil { // no run has both
			return nil, err
		}
	}
	if err := r.prepareData(); err != nil {
		return nil, err
	}
	if r.record = r.newRecord(); c.Resume {
		if err := r.old.matches(r.record); err != nil {
			return nil, err
		}
		if r.last != nil && !slices.Equal(r.last.Labels, set.Classes) { // which the data's hash does not cover
			return nil, fmt.Errorf("train: %s was begun with classes %q, now %q: %w", c.Out, r.last.Labels, set.Classes, ErrConfig)
		}
		if done := r.ended(); done != nil {
			r.note(c.Out + " has ended already; nothing of it was changed")
			return done, nil
		}
	}
	if err := r.loadTeachers(); err != nil {
		return nil, err
	}
	be, backend, note, err := openBackend(c) // before there is a folder that would stay empty
	if err != nil {
		return nil, err
	}
	if !c.Resume {
		unlock, err := r.claim()
		if err != nil {
			be.Finalize()
			return nil, err
		}
		defer unlock()
	}
	r.note(note)
	description := be.Description()
	if backend == onCUDA {
		description += ", " + be.DeviceDescription(0) // which GPU
	}
	start, err := r.start(backend, description)
	if err != nil {
		be.Finalize()
		return nil, err
	}
	if small := r.recipe.smallEpochs(); r.epoch < small {
		r.note(fmt.Sprintf("the first %d epochs are at half the resolution; until they are over, validation, at the whole, says little", small))
	}
	r.report(PhaseCompile)
	if r.t, err = r.compile(ctx, be, start); err != nil {
		return nil, err
	}
	defer be.Finalize()
	defer r.t.close()
	if err := r.trainEpochs(ctx); err != nil {
		return nil, err
	}
	return r.finish(ctx)
}

// reopen takes the run's folder and finds what is in it: the record and, if it got that far, the checkpoint to go on from. With that one the run
// no longer needs the network it began with.
func (r *run) reopen() (unlock func(), err error) {
	old, err := LoadRecord(r.c.Out)
	if err != nil {
		return nil, err
	}
	if unlock, err = lockFolder(r.c.Out); err != nil {
		return nil, err
	}
	r.old = &old
	last := r.folder("last")
	c, note, err := model.Load(last)
	switch {
	case err == nil:
		r.last = c
		r.note(note)
	case none(last) && none(last+".old"): // there may be the beginnings of one, but there never was a whole one
		r.note(r.c.Out + " was interrupted before its first checkpoint; beginning anew")
	default:
		unlock()
		return nil, err
	}
	return unlock, nil
}

// claim makes a new run's folder and takes it.
func (r *run) claim() (unlock func(), err error) {
	if err := r.c.files.MkdirAll(r.c.Out); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if unlock, err = lockFolder(r.c.Out); err != nil {
		return nil, err
	}
	for _, name := range []string{configFile, "checkpoint"} { // whatever state they are in
		if !none(filepath.Join(r.c.Out, name)) {
			unlock()
			return nil, fmt.Errorf("train: %s: %w", r.c.Out, ErrExists)
		}
	}
	return unlock, nil
}

// compile is newTrainer, but waits no longer than ctx allows: XLA takes seconds and can't be told to stop. After an error
// the backend is given back, or will be.
func (r *run) compile(ctx context.Context, be compute.Backend, start *model.Checkpoint) (*trainer, error) {
	var prepare []func(*trainer) error
	if r.c.QAT != "" {
		prepare = append(prepare, rangesFor(start.Ranges, &r.train))
	}
	if r.teachers != nil {
		prepare = append(prepare, taughtBy(r.teachers...))
	}
	recipe := r.recipe
	if r.epoch >= r.recipe.smallEpochs() {
		recipe.Grow = 0 // the run is past it: no step at half the resolution is to be compiled
	}
	done := make(chan error, 1)
	var t *trainer
	go func() {
		var err error
		t, err = newTrainer(be, r.c.Spec, r.record.Input, recipe, r.c.sharing(r.backend), min(evalBatch, r.val.N), start.Weights, momentaOf(start), prepare...)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			be.Finalize()
		}
		return t, err
	case <-ctx.Done():
		go func() {
			if <-done == nil {
				t.close()
			}
			be.Finalize()
		}()
		return nil, fmt.Errorf("train: interrupted while compiling; nothing was trained since the last checkpoint: %w", ctx.Err())
	}
}

// prepareData checks that the data fits the net, splits it, and computes the normalization.
func (r *run) prepareData() error {
	refuse := func(format string, a ...any) error {
		return fmt.Errorf("train: %s: %w", fmt.Sprintf(format, a...), ErrData)
	}
	s, spec := r.set, r.c.Spec
	switch {
	case len(s.Classes) != spec.Classes:
		return refuse("%s has %d classes, the net %d outputs", s.Name, len(s.Classes), spec.Classes)
	case s.Train.N < 2:
		return refuse("%s has %d training images", s.Name, s.Train.N)
	case s.Test.N == 0:
		return refuse("%s has no test images", s.Name)
	case s.Train.H != spec.Size || s.Train.W != spec.Size || s.Test.H != spec.Size || s.Test.W != spec.Size:
		return refuse("images of %dx%d, the net takes %dx%d", s.Train.W, s.Train.H, spec.Size, spec.Size)
	}
	hold := int(math.Round(r.c.ValFraction * float64(s.Train.N)))
	r.train, r.val = s.Holdout(r.c.Seed, min(max(hold, 1), maxHoldout))
	r.valSum = r.val.Digest()
	if r.c.Batch > r.train.N {
		return fmt.Errorf("train: batch of %d from %d training images (%d more are held out): %w", r.c.Batch, r.train.N, r.val.N, ErrConfig)
	}
	r.input = normalization(&r.train)
	if before := cmp.Or(r.last, r.from, r.trained); before != nil {
		r.input = before.Input // which its weights are for
	}

	var err error
	r.loader, err = newLoader(&r.train, r.c, r.recipe, r.input)
	return err
}

// newLoader makes the batches that the recipe asks for of s.
func newLoader(s *dataset.Split, c Config, recipe Recipe, input model.Input) (*dataset.Loader, error) {
	flips := map[Flip]dataset.Flip{FlipNone: dataset.FlipNone, FlipRandom: dataset.FlipRandom, FlipAlternating: dataset.FlipAlternating}
	gray, size := byte(input.Mean), c.Spec.Size
	l, err := dataset.NewLoader(s, dataset.LoaderOptions{
		Batch: c.Batch, Pad: inPixels(recipe.Crop, size), Fill: [3]byte{gray, gray, gray}, Mirror: recipe.CropMirrored, Flip: flips[recipe.Flip],
		Cutout: inPixels(recipe.Cutout, size), Mix: recipe.Mix, Patch: recipe.Patch, PatchFrom: recipe.smallEpochs(), Seed: c.Seed,
	})
	if err != nil {
		return nil, fmt.Errorf("train: %w: %w", err, ErrConfig)
	}
	return l, nil
}

// normalization makes one mean and one deviation of the three channels', the mean a whole number; see model.Input.
func normalization(s *dataset.Split) model.Input {
	mean, std := s.MeanStd()
	m := math.Round((mean[0] + mean[1] + mean[2]) / 3)
	variance := 0.0
	for c := range 3 {
		variance += (std[c]*std[c] + (mean[c]-m)*(mean[c]-m)) / 3
	}
	// Two decimals are enough, and are what a reader of the metadata wants to see.
	return model.Input{Mean: float32(m), Std: float32(max(1, math.Round(100*math.Sqrt(variance))/100))}
}

// start makes the record one of a run on that backend, and returns the weights to begin with: fresh ones, or those of checkpoint "last" of a run
// that is resumed.
func (r *run) start(backend, description string) (*model.Checkpoint, error) {
	r.backend = backend
	r.record.BackendUsed, r.record.Device, r.record.TaughtBy = backend, description, r.teacherRecords()
	if r.old == nil {
		return r.fresh(), r.record.write()
	}
	if err := r.old.taughtAlike(r.record); err != nil {
		return nil, err
	}
	r.record.Started = r.old.Started
	if other := r.old.moved(r.record); other != "" && r.last != nil {
		r.note(other + ": the weights may differ from an unbroken run's")
	}
	if before, then := r.old.BackendUsed, ", then "+backend; r.last != nil && before != backend {
		if r.record.BackendUsed = before; !strings.HasSuffix(before, then) {
			r.record.BackendUsed += then
			r.note(fmt.Sprintf("begun on backend %s, going on with %s: the weights will differ in the last digits from an unbroken run's", before, backend))
		}
	}
	if err := r.record.follow(r.old); err != nil {
		return nil, err
	}
	if r.last == nil {
		return r.fresh(), nil
	}
	return r.last, r.restore(r.last)
}

// fresh are the weights that a new run begins with.
func (r *run) fresh() *model.Checkpoint {
	if r.trained != nil {
		return r.trained
	}
	rng := rand.New(rand.NewPCG(r.c.Seed, 0x6d6e6574)) // the second word only sets the weights' stream apart from other uses of the seed
	return &model.Checkpoint{Weights: r.begin(initialWeights(r.c.Spec, r.recipe.Identity, rng))}
}

func none(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

func (r *run) folder(name string) string { return filepath.Join(r.c.Out, "checkpoint", name) }

// trainEpochs trains from where the run is to the last epoch.
func (r *run) trainEpochs(ctx context.Context) error {
	r.saved = time.Now()
	r.epochBegan = r.saved
	for r.epoch < r.c.Epochs {
		if err := r.trainEpoch(ctx); err != nil {
			return err
		}
		loss, correct, err := r.evaluate(ctx, &r.val, nil)
		if err != nil {
			return r.interrupted(err)
		}
		images := float64(r.perEpoch() * int64(r.c.Batch))
		r.history = append(r.history, epochRow{
			Epoch: r.epoch + 1, Step: r.step, LR: r.rate(r.step - 1),
			TrainLoss: r.sums.loss / float64(r.perEpoch()), TrainTop1: float64(r.sums.correct) / images,
			ValLoss: loss, ValTop1: float64(correct) / float64(r.val.N),
			Time: time.Now().Unix(), Seconds: r.epochSeconds(), ImagesPerSecond: r.speed(r.current),
		})
		r.epoch++
		if err := r.closeEpoch(); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) perEpoch() int64         { return int64(r.loader.Batches()) }
func (r *run) rate(step int64) float64 { return r.recipe.Rate(step, r.perEpoch()) }

func (r *run) stage(epoch int) stage {
	switch {
	case epoch < r.recipe.smallEpochs():
		return half
	case epoch >= r.c.Epochs-r.recipe.uphillEpochs():
		return uphill
	}
	return whole
}

// stageCosts are about how long a step takes, in steps at the whole resolution: a quarter of the pixels, or two gradients.
var stageCosts = [...]float64{half: 0.25, whole: 1, uphill: 2}

// program is what makes the steps of the epoch under way.
func (r *run) program() *program { return r.t.steps[r.stage(r.epoch)] }

// trainEpoch does the steps the epoch under way still lacks.
func (r *run) trainEpoch(ctx context.Context) error {
	done := int(r.step - int64(r.epoch)*r.perEpoch())
	r.current = pace{}
	before := time.Now()
	for b := range r.loader.Epoch(r.epoch, done) {
		if ctx.Err() != nil {
			return r.interrupted(ctx.Err())
		}
		loss, correct, err := r.t.stepBy(r.program(), b.Pixels, b.Labels, r.rate(r.step))
		if err != nil {
			return err
		}
		if !finite(loss) {
			return fmt.Errorf("train: loss is %v at step %d of epoch %d; checkpoints are of before: %w", loss, r.step+1, r.epoch+1, ErrDiverged)
		}
		r.step++
		r.sums.loss += loss
		r.sums.correct += int64(correct)
		if took := time.Since(before); r.warm {
			r.all.add(took, stageCosts[r.stage(r.epoch)])
			r.current.add(took, stageCosts[r.stage(r.epoch)])
		}
		r.warm = true
		if time.Since(r.reported) >= progressEvery {
			r.report(PhaseTrain)
		}
		if time.Since(r.saved) >= r.c.SaveEvery {
			if err := r.saveLast(); err != nil {
				return err
			}
		}
		before = time.Now()
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// evaluate returns the mean loss and the number of images that the weights on the device get right, and counts in m, if it is
// not nil, what they take each image for.
func (r *run) evaluate(ctx context.Context, s *dataset.Split, m confusion) (loss float64, correct int, err error) {
	began := time.Now()
	for b := range s.Batches(r.t.eval.batch) {
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		l, c, predicted, err := r.t.Eval(b.Pixels, b.Labels)
		if err != nil {
			return 0, 0, err
		}
		for i, label := range b.Labels {
			if m != nil {
				m[label][predicted[i]]++
			}
		}
		loss += l
		correct += c
	}
	if !finite(loss) {
		return 0, 0, fmt.Errorf("train: evaluation loss is %v after step %d: %w", loss, r.step, ErrDiverged)
	}
	r.checking = time.Since(began)
	return loss / float64(s.N), correct, nil
}

// closeEpoch stores what an epoch has brought: the checkpoints first, then what is made from them.
func (r *run) closeEpoch() error {
	best := r.history.best() == len(r.history)-1
	if best {
		weights, _, err := r.weights()
		if err != nil {
			return err
		}
		if err := r.saveBest(weights, r.history[len(r.history)-1], nil); err != nil {
			return err
		}
	}
	r.sums, r.epochBegan = sums{}, time.Now()
	if err := r.saveLast(); err != nil {
		return err
	}
	r.report(PhaseValidate)
	return r.writeHistory()
}

func (r *run) writeHistory() error {
	if err := r.c.writeFile(metricsFile, r.history.csv()); err != nil {
		return err
	}
	curves, err := r.history.curves(fmt.Sprintf("%s on %s, %s", r.c.Spec.Name(), r.set.Name, r.recipe.Name), len(r.c.Teachers) > 0)
	if err != nil {
		return err
	}
	if err := r.c.writeFile(curvesFile, curves); err != nil {
		return err
	}
	return r.writeEvents()
}

// interrupted stores "last" when err is a cancelled context's, and returns err with what came of it.
func (r *run) interrupted(err error) error {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if saving := r.saveLast(); saving != nil {
		return fmt.Errorf("train: interrupted at step %d, and no checkpoint could be stored: %w", r.step, errors.Join(saving, err))
	}
	return fmt.Errorf("train: interrupted at step %d, checkpoint stored: %w", r.step, err)
}

// testWithFlip is the test's top-1 when each answer is that of an image and its mirror image together.
func (r *run) testWithFlip(ctx context.Context) (float64, error) {
	plain := r.t.eval
	defer func() { r.t.eval = plain }()
	var err error
	if r.t.eval, err = r.t.compile("evaluation with mirror images", plain.batch, r.t.buildEvalWithFlip); err != nil {
		return 0, err
	}
	defer r.t.eval.graph.Finalize()
	_, correct, err := r.evaluate(ctx, &r.set.Test, nil)
	return float64(correct) / float64(r.set.Test.N), err
}

// ended is the result of a run that was closed in an earlier call, and whose best weights are whole; nil of any other.
func (r *run) ended() *Result {
	if r.last == nil || r.last.Spec != r.c.Spec || r.last.Epoch < r.c.Epochs {
		return nil
	}
	if none(filepath.Join(r.c.Out, cardFile)) { // the last file that finish writes
		return nil
	}
	if best, note, err := model.Load(r.c.Out); err != nil || note != "" || r.checkOwn(best) != nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(r.c.Out, resultFile))
	res := new(Result)
	if err != nil || json.Unmarshal(text, res) != nil {
		return nil
	}
	res.Run, res.Checkpoint = r.c.Out, r.folder("best") // wherever the folder is by now
	return res
}

// inTest is err, which came up in the test, with what became of the training if that was an interrupt.
func inTest(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("train: interrupted in the test; the training is done and stored: %w", err)
	}
	return err
}

// finish tests the best epoch's weights and closes the run.
func (r *run) finish(ctx context.Context) (*Result, error) {
	best, row, err := r.loadBest()
	if err != nil {
		return nil, err
	}
	res, taken, err := r.test(ctx, row)
	if err != nil {
		return nil, inTest(ctx, err)
	}
	if err := r.c.files.RemoveAll(filepath.Join(r.c.Out, cardFile)); err != nil { // one of other weights, where "best" had been damaged: see ended
		return nil, fmt.Errorf("train: %w", err)
	}
	if err := r.saveBest(best.Weights, row, map[string]float64{"test_top1": res.TestTop1, "test_n": float64(res.TestN)}); err != nil {
		return nil, err
	}
	if err := r.writeHistory(); err != nil { // anew, in case the last epoch was cut off between checkpoint and files
		return nil, err
	}
	return res, r.writeResult(res, taken)
}

// loadBest puts the best epoch's weights on the device.
func (r *run) loadBest() (best *model.Checkpoint, row epochRow, err error) {
	best, note, err := model.Load(r.c.Out) // "last" where "best" is damaged and so is the one before it
	if err != nil {
		return nil, row, err
	}
	r.note(note)
	row, ok := r.history.at(best.Step)
	err = r.checkOwn(best)
	if err == nil && !ok {
		err = fmt.Errorf("step %d is not the end of an epoch of this run", best.Step)
	}
	if err != nil {
		return nil, row, fmt.Errorf("train: %s: %w: %w", r.folder("best"), err, model.ErrCheckpoint)
	}
	return best, row, r.t.setWeights(best.Weights)
}

// test runs the test images past the weights on the device, which are those of an epoch.
func (r *run) test(ctx context.Context, row epochRow) (*Result, confusion, error) {
	r.report(PhaseTest)
	spec, taken := r.c.Spec, newConfusion(r.c.Spec.Classes)
	_, correct, err := r.evaluate(ctx, &r.set.Test, taken)
	if err != nil {
		return nil, nil, err
	}
	res := &Result{
		Run: r.c.Out, Net: string(spec.Net), Width: spec.Width, Params: spec.Counts().Total,
		Epochs: r.c.Epochs, BestEpoch: row.Epoch, ValTop1: row.ValTop1,
		TestTop1: float64(correct) / float64(r.set.Test.N), TestN: r.set.Test.N, TestCorrect: correct,
		Seconds: r.elapsed(), ImagesPerSecond: r.speed(r.all), WaitShare: r.waitShare(), Backend: r.record.BackendUsed,
		Checkpoint: r.folder("best"), Notes: r.notes,
	}
	if r.c.TestFlip {
		res.FlipTop1, err = r.testWithFlip(ctx)
	}
	return res, taken, err
}

// writeResult writes the files that only a run that has ended has. The card is the last: see ended.
func (r *run) writeResult(res *Result, taken confusion) error {
	title := fmt.Sprintf("%s on %s: %d of %d", r.c.Spec.Name(), r.set.Name, res.TestCorrect, res.TestN)
	picture, err := taken.picture(title, r.set.Classes)
	if err != nil {
		return err
	}
	if err := r.c.writeFile(confusionFile, picture); err != nil {
		return err
	}
	text, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := r.c.writeFile(resultFile, append(text, '\n')); err != nil {
		return err
	}
	return r.c.writeFile(cardFile, r.card(res))
}
