package train

import (
	"bytes"
	"fmt"
)

// card is the model card: what the network is, how good, and measured under which conditions.
func (r *run) card(res *Result) []byte {
	var b bytes.Buffer
	p := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	spec, counts, rec := r.c.Spec, r.c.Spec.Counts(), r.record
	p("# MobileNet %s, trained on %s\n", spec.Name(), rec.Dataset.Name)
	p("| | |\n|---|---|")
	geometry := ""
	if spec.Enlarge > 1 {
		geometry = fmt.Sprintf(", enlarged to %d x %d", spec.Inner(), spec.Inner())
	}
	if spec.OutputStride != 0 {
		geometry += fmt.Sprintf(", output stride %d", spec.OutputStride)
	}
	p("| net | %s, width %g, %d x %d x 3 input%s, %d classes, padding %s |", spec.Net, spec.Width, spec.Size, spec.Size, geometry, spec.Classes, spec.Padding)
	p("| parameters | %d (%d trainable), %.2f million multiply-accumulates an image |", counts.Total, counts.Trainable, float64(counts.MACs)/1e6)
	p("| input | (pixel - %g) / %g, pixel 0..255, the same for every channel |", rec.Input.Mean, rec.Input.Std)
	p("| test top-1 | %.2f %% (%d of %d), measured once, with the weights of epoch %d |", 100*res.TestTop1, res.TestCorrect, res.TestN, res.BestEpoch)
	p("| validation top-1 | %.2f %% of %d images held out of the training set; chose the epoch |", 100*res.ValTop1, rec.Dataset.Val)
	p("| data | %s, sha256 of pixels and labels `%s` |", rec.Dataset.Name, rec.Dataset.SHA256)
	if rec.Dataset.Note != "" {
		p("| | %s |", rec.Dataset.Note)
	}
	p("| trained on | %d images, %d epochs, batch %d |", rec.Dataset.Train, res.Epochs, r.c.Batch)
	p("| recipe | %s: SGD, momentum %g%s, peak rate %g (%s), weight decay %g, label smoothing %g, crop %d%s, flip %s |",
		r.recipe.Name, r.recipe.Momentum, map[bool]string{true: " (Nesterov)"}[r.recipe.Nesterov], r.recipe.LR, r.recipe.Schedule,
		r.recipe.WeightDecay, r.recipe.LabelSmoothing, inPixels(r.recipe.Crop, spec.Size), map[bool]string{true: " (mirrored)"}[r.recipe.CropMirrored], r.recipe.Flip)
	if r.recipe.Grow > 0 {
		p("| | the first %d epochs at half the resolution |", r.recipe.smallEpochs())
	}
	if r.recipe.SAM > 0 {
		p("| | the last %d epochs by sharpness-aware minimization, rho %g |", r.recipe.uphillEpochs(), r.recipe.SAM)
	}
	if r.recipe.Cutout > 0 {
		p("| | a square of %d pixels of each image covered |", inPixels(r.recipe.Cutout, spec.Size))
	}
	if r.recipe.Muon > 0 {
		p("| | Muon for the matrices that mix channels, at %.3g of that rate |", r.recipe.Muon)
	}
	if from := r.record.BegunWith; from != nil {
		p("| begun with | net %s, trained before (weights' sha256 `%.12s`…) |", from.Net.Name(), from.SHA256)
	} else if r.recipe.Identity > 0 {
		p("| | initial weights %g of the way to the identity |", r.recipe.Identity)
	}
	if r.c.QAT != "" {
		p("| | int8's rounding in the step, and in the figures above |")
	}
	for _, t := range r.record.TaughtBy {
		if t.File != "" {
			p("| teacher | %s (its sha256 `%.12s`…) |", t.File, t.SHA256)
		} else {
			p("| teacher | net %s (weights' sha256 `%.12s`…) |", t.Net.Name(), t.SHA256)
		}
	}
	if r.teachers != nil {
		p("| | answers, softmax at temperature %g, are %g of what was learnt |", r.recipe.temperature(), r.recipe.Distill)
		if r.recipe.Mix > 0 {
			p("| | images mixed in %g of the batches, each with another one |", r.recipe.Mix)
		}
		if r.recipe.Patch > 0 {
			p("| | a rectangle of another image over each one in %g of the batches%s |", r.recipe.Patch, map[bool]string{true: ", after the epochs at half the resolution"}[r.recipe.Grow > 0])
		}
	}
	p("| seed | %d |", r.c.Seed)
	p("| machine | backend %s on %s, %.0f s |", res.Backend, rec.Machine(), res.Seconds)
	p("\nOne run with one seed: the spread between seeds is not known from it. Labels, in the order of the outputs:\n")
	for i, name := range r.set.Classes {
		p("%d. %s", i, name)
	}
	return b.Bytes()
}
