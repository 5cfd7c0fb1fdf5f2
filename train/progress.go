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
		Phase: phase, Backend: r.backend, Epoch: r.epoch, Epochs: r.c.Epochs,
		Step: r.step, Steps: int64(r.c.Epochs) * r.perEpoch(), PerEpoch: r.perEpoch(),
		EpochStep: r.step - int64(r.epoch)*r.perEpoch(),
		LR:        r.rate(max(0, r.step-1)), ImagesPerSecond: r.speed(r.all), WaitShare: r.waitShare(),
	}
	if p.EpochStep > 0 {
		p.Loss = r.sums.loss / float64(p.EpochStep)
		p.Accuracy = float64(r.sums.correct) / float64(p.EpochStep*int64(r.c.Batch))
	}
	if n := len(r.history); phase == PhaseValidate && n > 0 {
		e := r.history[n-1]
		p.Loss, p.Accuracy, p.ValLoss, p.ValTop1, p.Best = e.TrainLoss, e.TrainTop1, e.ValLoss, e.ValTop1, r.history.best() == n-1
	}
	if r.all.steps > 0 {
		p.Left = time.Duration(r.left(p.EpochStep, p.PerEpoch)*float64(r.all.spent)/r.all.cost) + time.Duration(r.c.Epochs-r.epoch)*r.checking
	}
	r.c.Progress(p)
}

// left is what is to be done behind so many steps of the epoch under way, in steps at the whole resolution.
func (r *run) left(done, perEpoch int64) float64 {
	left := -float64(done) * stageCosts[r.stage(r.epoch)]
	for epoch := r.epoch; epoch < r.c.Epochs; epoch++ {
		left += float64(perEpoch) * stageCosts[r.stage(epoch)]
	}
	return left
}

// add counts a step.
func (p *pace) add(took time.Duration, cost float64) {
	p.steps++
	p.cost += cost
	p.spent += took
}

// speed is that of p in images a second; 0 of no steps.
func (r *run) speed(p pace) float64 {
	if p.steps == 0 {
		return 0
	}
	return float64(p.steps*int64(r.c.Batch)) / p.spent.Seconds()
}

func (r *run) waitShare() float64 {
	if r.all.steps == 0 {
		return 0
	}
	return min(1, r.loader.Wait().Seconds()/r.all.spent.Seconds())
}

// epochSeconds is the time spent on the epoch under way, all calls of Run together.
func (r *run) epochSeconds() float64 { return r.sums.seconds + time.Since(r.epochBegan).Seconds() }

// elapsed is the time trained so far in seconds, all calls of Run together.
func (r *run) elapsed() float64 { return r.seconds + time.Since(r.began).Seconds() }
