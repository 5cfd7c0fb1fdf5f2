package train

import "time"

// note hands a line to the user.
func (r *run) note(line string) {
	if line == "" {
		return
	}
	r.notes = append(r.notes, line)
	if r.c.Progress != nil {
		r.c.Progress(Progress{Phase: PhaseNote, Note: line})
	}
}

// report calls Progress with where the run is.
func (r *run) report(phase Phase) {
	r.reported = time.Now()
	if r.c.Progress == nil {
		return
	}
	p := Progress{
		Phase: phase, Backend: r.record.BackendUsed, Epoch: r.epoch, Epochs: r.c.Epochs,
		Step: r.step, Steps: int64(r.c.Epochs) * r.perEpoch(), PerEpoch: r.perEpoch(),
		EpochStep: r.step - int64(r.epoch)*r.perEpoch(),
		LR:        r.rate(max(0, r.step-1)), ImagesPerSecond: r.speed(), WaitShare: r.waitShare(),
	}
	if p.EpochStep > 0 {
		p.Loss = r.sums.loss / float64(p.EpochStep)
		p.Accuracy = float64(r.sums.correct) / float64(p.EpochStep*int64(r.c.Batch))
	}
	if n := len(r.history); phase == PhaseValidate && n > 0 {
		e := r.history[n-1]
		p.Loss, p.Accuracy, p.ValLoss, p.ValTop1, p.Best = e.TrainLoss, e.TrainTop1, e.ValLoss, e.ValTop1, r.history.best() == n-1
	}
	if p.ImagesPerSecond > 0 {
		training := float64(p.Steps-p.Step) * float64(r.c.Batch) / p.ImagesPerSecond
		p.Left = time.Duration(training*float64(time.Second)) + time.Duration(r.c.Epochs-r.epoch)*r.checking
	}
	r.c.Progress(p)
}

// speed is in images a second, over the steps of this call of Run.
func (r *run) speed() float64 {
	if r.steps < 2 {
		return 0
	}
	return float64((r.steps-1)*int64(r.c.Batch)) / r.steady.Seconds()
}

func (r *run) waitShare() float64 {
	if r.steady <= 0 {
		return 0
	}
	return min(1, r.loader.Wait().Seconds()/r.steady.Seconds())
}

// epochSeconds is the time spent on the epoch under way, all calls of Run together.
func (r *run) epochSeconds() float64 { return r.sums.seconds + time.Since(r.epochBegan).Seconds() }

// elapsed is the time trained so far in seconds, all calls of Run together.
func (r *run) elapsed() float64 { return r.seconds + time.Since(r.began).Seconds() }
