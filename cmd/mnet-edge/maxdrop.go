package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"mnet-edge/convert"
	"mnet-edge/report"
)

// mixed is a conversion in which some layers are finer than the rest, and what it loses.
type mixed struct {
	recipe  convert.Recipe
	result  *convert.Result
	encoded []byte
	report  report.Convert
}

// meet brings the loss of top-1 to at most so many points, with as few finer layers as do. They come in the order of the harm that
// they do alone. Each is tried with an int16 result first, which stays integer arithmetic, and then in float32; where neither
// is enough, what lost less stays, int16 if they are alike, and the next one follows. At the end all are in float32.
func (j *job) meet(points float64, result *convert.Result, encoded []byte, r *report.Convert) (*convert.Result, []byte, error) {
	if r.DropPoints == nil {
		return nil, nil, withHint(fmt.Errorf("%w: --max-drop has no answers to test images to measure by", convert.ErrCalibration), "name images with --calib DATA and --eval N; the model must give one score a class")
	}
	if allowed(*r.DropPoints, points) {
		return result, encoded, nil
	}
	alone, err := j.alone(result.Recipe)
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(alone, func(a, b convert.Alone) int { return cmp.Compare(a.OutputSNR, b.OutputSNR) })
	least, recipe := *r.DropPoints, result.Recipe
	take := func(m *mixed) (*convert.Result, []byte, error) {
		m.result.Trials = result.Trials
		*r = m.report
		return m.result, m.encoded, nil
	}
	for i, l := range alone {
		var best *mixed
		for _, finer := range finerForms(recipe, l.Name) {
			m, err := j.mix(finer, *r)
			if errors.Is(err, convert.ErrNetwork) { // a kernel is lacking for it, or for who reads it
				say(j.c, "%s in %s: %s", l.Name, lastForm(finer, l.Name), oneLine(err))
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			drop := *m.report.DropPoints
			say(j.c, "%d layers finer, the last %s in %s: %.2f points lost", i+1, l.Name, lastForm(finer, l.Name), drop)
			if allowed(drop, points) {
				return take(m)
			}
			if best == nil || drop < *best.report.DropPoints {
				best = m
			}
		}
		if best != nil {
			recipe, least = best.recipe, min(least, *best.report.DropPoints)
		}
	}
	if len(recipe.KeepInt16) > 0 {
		recipe.KeepInt16, recipe.KeepFloat = nil, nil
		for _, l := range alone {
			recipe.KeepFloat = append(recipe.KeepFloat, l.Name)
		}
		m, err := j.mix(recipe, *r)
		if err != nil {
			return nil, nil, err
		}
		drop := *m.report.DropPoints
		say(j.c, "all %d layers in float32: %.2f points lost", len(alone), drop)
		if least = min(least, drop); allowed(drop, points) {
			return take(m)
		}
	}
	return nil, nil, fmt.Errorf("%w: %.2f points lost at the least, --max-drop allows %.2f", errAccuracy, least, points)
}

// allowed says whether a loss is within what may be lost, both in points: 7 images of 1,000 are 0.7 of them, whatever a float64 makes of that.
func allowed(drop, points float64) bool { return drop <= points+1e-9 }

// finerForms are the recipe with one more layer kept in int16, unless all are, and with it kept in float32.
func finerForms(r convert.Recipe, layer string) []convert.Recipe {
	float, wide := r, r
	float.KeepFloat = append(slices.Clone(r.KeepFloat), layer)
	wide.KeepInt16 = append(slices.Clone(r.KeepInt16), layer)
	if r.Scheme == convert.Int16x8 {
		return []convert.Recipe{float}
	}
	return []convert.Recipe{wide, float}
}

// lastForm is what a recipe keeps the layer in.
func lastForm(r convert.Recipe, layer string) string {
	if slices.Contains(r.KeepInt16, layer) {
		return "int16"
	}
	return "float32"
}

// mix converts by the recipe and measures what that loses.
func (j *job) mix(recipe convert.Recipe, r report.Convert) (*mixed, error) {
	result, encoded, err := j.run(recipe)
	if err != nil {
		return nil, err
	}
	m := &mixed{recipe, result, encoded, r}
	return m, measureDrop(j.c, j.float, encoded, j.set, &m.report)
}
