package main

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"mnet-edge/model"
	"mnet-edge/train"
)

// group is what runs that differ in their seed only have in common.
type group struct {
	spec    model.Spec
	data    string
	recipe  string // and what its weights began with, if not a draw
	teacher string // the net that taught it, or several
	preset  bool   // the recipe is a preset, nothing changed
	epochs  int
	rate    float64 // the highest
	images  int     // learnt from in an epoch
}

func key(r run) group {
	var names []string
	for _, t := range r.Record.TaughtBy {
		names = append(names, t.Name())
	}
	teacher := strings.Join(names, "+")
	recipe, from := r.Record.Recipe.Name, r.Record.BegunWith
	if from != nil {
		recipe += "-from-" + from.Net.Name()
	}
	return group{r.Record.Spec, r.Record.Dataset.Name, recipe, teacher, r.Record.Changes == nil && teacher == "" && from == nil,
		r.Result.Epochs, r.Record.Recipe.LR, r.Record.Dataset.Train}
}

func (g group) file(seed uint64) string {
	recipe := strings.ReplaceAll(g.recipe, ", ", "-") // "fast, changed" of a recipe without a name
	if g.teacher != "" {
		recipe += "-by-" + g.teacher
	}
	return fmt.Sprintf("%s-%s-%s-%dx%d-lr%g-seed%d", g.spec.Name(), g.data, recipe, g.images, g.epochs, g.rate, seed)
}

// recipeName is the recipe's, with the teacher if there was one.
func (g group) recipeName() string {
	if g.teacher == "" {
		return g.recipe
	}
	return g.recipe + ", taught by " + g.teacher
}

func (g group) name() string {
	name := fmt.Sprintf("%s, w = %g", g.spec.Net, g.spec.Width)
	if g.spec.Net == model.NetD && !g.spec.MidReLU {
		name += ", no intermediate ReLU"
	}
	if g.spec.Size != model.SourceSize {
		name += fmt.Sprintf(", images of %d x %d", g.spec.Size, g.spec.Size)
	}
	if g.spec.Enlarge != 0 {
		name += fmt.Sprintf(", image enlarged to %d x %d", g.spec.Inner(), g.spec.Inner())
	}
	if g.spec.OutputStride != 0 {
		name += fmt.Sprintf(", output stride %d", g.spec.OutputStride)
	}
	return name
}

// The source's table, in its order: 200 epochs each.
var source = []struct {
	name     string
	accuracy float64
	command  string
}{
	{"D, w = 1", 90.45, "--net D"},
	{"C, w = 1", 93.84, "--net C"},
	{"D, w = 3", 91.07, "--net D --width 3"},
	{"C, w = 0.338", 91.39, "--net C --width 0.338"},
	{"D, w = 1, no intermediate ReLU", 89.86, "--net D --no-mid-relu"},
}

// heading writes a table's first line and the one below it.
func heading(b *strings.Builder, columns string) {
	b.WriteString(columns + "\n" + strings.Repeat("|---", strings.Count(columns, "|")-1) + "|\n")
}

// sourceTable shows every row of the source's table beside ours of the same net by any recipe, then our other nets by a preset, and net P by any. A row that was
// not run says so, with the command that runs it. Nets that were taught by others are not in it.
func sourceTable(runs []run) string {
	var b strings.Builder
	heading(&b, "| net | source, 200 epochs | ours, test top-1 | data | seeds | recipe, highest rate | images × epochs | seconds a run | machine |")
	groups := slices.DeleteFunc(grouped(runs), func(g runsOf) bool { return g.key.teacher != "" })
	done := map[string]bool{}
	for _, s := range source {
		n := 0
		for _, g := range groups {
			if g.key.name() == s.name {
				g.row(&b, fmt.Sprintf("%.2f %%", s.accuracy))
				n++
			}
		}
		if n == 0 {
			fmt.Fprintf(&b, "| %s | %.2f %% | not run: `mnet-edge train --data cifar10 %s --preset seed` | | | | | | |\n", s.name, s.accuracy, s.command)
		}
		done[s.name] = true
	}
	for _, g := range groups {
		if !done[g.key.name()] && (g.key.preset || g.key.spec.Net == model.NetP) {
			g.row(&b, "–")
		}
	}
	return b.String()
}

// teachers shows what runs with a teacher came to, beside the teacher and the same net by the preset without one.
func teachers(runs []run) string {
	var b strings.Builder
	heading(&b, "| net | taught by | its test top-1 | test top-1 | the preset's without a teacher | data | seeds | recipe, highest rate | images × epochs | machine |")
	groups := grouped(runs)
	for _, g := range groups {
		if g.key.teacher == "" {
			continue
		}
		own, k := "not run", g.key
		k.recipe, k.teacher, k.preset = train.PresetFast, "", true
		if i := slices.IndexFunc(groups, func(o runsOf) bool { return o.key == k }); i >= 0 {
			own, _ = groups[i].top1()
		}
		figure, seeds := g.top1()
		r := g.runs[0].Record
		var theirs []string
		for _, t := range r.TaughtBy {
			top1 := "–"
			if t.File == "" {
				top1 = fmt.Sprintf("%.2f %%", 100*t.TestTop1)
			}
			theirs = append(theirs, top1)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | **%s** | %s | %s | %s | %s, %g | %d × %d | %s, %d processors |\n", g.key.name(), g.key.teacher,
			strings.Join(theirs, ", "), figure, own, g.key.data, seeds, g.key.recipe, g.key.rate, g.key.images, g.key.epochs, g.runs[0].Result.Backend, r.CPUs)
	}
	return b.String()
}

// runsOf is a group with its runs, by seed.
type runsOf struct {
	key  group
	runs []run
}

func grouped(runs []run) []runsOf {
	var gs []runsOf
	for _, r := range runs {
		i := slices.IndexFunc(gs, func(g runsOf) bool { return g.key == key(r) && alike(g.runs[0], r) })
		if i < 0 {
			i = len(gs)
			gs = append(gs, runsOf{key: key(r)})
		}
		gs[i].runs = append(gs[i].runs, r)
	}
	return gs
}

// alike says whether two runs differ in their seed at most: recipes of one name need not be the same, nor nets or files that teach.
func alike(a, b run) bool {
	weights := func(r run) (sums []string) {
		for _, n := range append(slices.Clone(r.Record.TaughtBy), *cmp.Or(r.Record.BegunWith, new(train.NetRecord))) {
			sums = append(sums, n.SHA256)
		}
		return sums
	}
	return reflect.DeepEqual(a.Record.Recipe, b.Record.Recipe) && slices.Equal(weights(a), weights(b))
}

// top1 is the mean test top-1 of the runs with its spread, and their seeds.
func (g runsOf) top1() (figure, seeds string) {
	var top1 []float64
	var all []string
	for _, r := range g.runs {
		top1 = append(top1, 100*r.Result.TestTop1)
		all = append(all, fmt.Sprint(r.Record.Seed))
	}
	mean, spread := stat.MeanStdDev(top1, nil)
	figure = fmt.Sprintf("%.2f %%", mean)
	if len(top1) > 1 {
		figure += fmt.Sprintf(" ± %.2f", spread)
	}
	return figure, strings.Join(all, ", ")
}

func (g runsOf) row(b *strings.Builder, source string) {
	figure, seeds := g.top1()
	var seconds []float64
	for _, r := range g.runs {
		seconds = append(seconds, r.Result.Seconds)
	}
	r := g.runs[0]
	fmt.Fprintf(b, "| %s | %s | **%s** | %s | %s | %s, %g | %d × %d | %.0f | %s, %s |\n", g.key.name(), source, figure, g.key.data, seeds,
		g.key.recipe, g.key.rate, g.key.images, g.key.epochs, stat.Mean(seconds, nil), r.Result.Backend, r.Record.Machine())
}

// midReLU compares net D's test top-1 with and without the intermediate ReLU: seed by seed, the same recipe, data and epochs.
func midReLU(runs []run) string {
	var b strings.Builder
	heading(&b, "| net | data | epochs | seeds | with | without | difference, points | 95 % interval |")
	groups := grouped(runs)
	for _, with := range groups {
		if with.key.spec.Net != model.NetD || !with.key.spec.MidReLU {
			continue
		}
		k := with.key
		k.spec.MidReLU = false
		i := slices.IndexFunc(groups, func(g runsOf) bool { return g.key == k && alike(g.runs[0], with.runs[0]) })
		if i < 0 {
			continue
		}
		if c, ok := compare(with, groups[i], func(r run) float64 { return r.Result.TestTop1 }); ok {
			fmt.Fprintf(&b, "| %s | %s | %d | %d | %.2f %% | %.2f %% | %s |\n", with.key.name(), with.key.data, with.key.epochs, c.seeds, c.a, c.b, c.difference())
		}
	}
	return b.String()
}

// recipes compares the validation top-1 of runs with a changed recipe with the preset's: seed by seed, the same net, data and epochs.
func recipes(runs []run) string {
	var b strings.Builder
	heading(&b, "| net | data | epochs | recipe | seeds | validation top-1 | the preset's | difference, points | 95 % interval |")
	groups := grouped(runs)
	for _, preset := range groups {
		for _, changed := range groups {
			k := changed.key
			k.recipe, k.teacher, k.preset, k.rate = preset.key.recipe, preset.key.teacher, preset.key.preset, preset.key.rate
			if changed.key.preset || !preset.key.preset || k != preset.key {
				continue
			}
			if c, ok := compare(changed, preset, func(r run) float64 { return r.Result.ValTop1 }); ok {
				fmt.Fprintf(&b, "| %s | %s | %d | %s | %d | %.2f %% | %.2f %% | %s |\n", k.name(), k.data, k.epochs, changed.key.recipeName(), c.seeds, c.a, c.b, c.difference())
			}
		}
	}
	return b.String()
}

// comparison is of the runs of two groups that have their seed in common: the means and their difference, in points of top-1. The
// interval is Student's for the mean of the differences.
type comparison struct {
	seeds            int
	a, b, mean, half float64
}

func compare(a, b runsOf, top1 func(run) float64) (c comparison, ok bool) {
	var as, bs, differences []float64
	for _, r := range a.runs {
		i := slices.IndexFunc(b.runs, func(o run) bool { return o.Record.Seed == r.Record.Seed })
		if i >= 0 {
			x, y := 100*top1(r), 100*top1(b.runs[i])
			as, bs, differences = append(as, x), append(bs, y), append(differences, x-y)
		}
	}
	n := float64(len(differences))
	if n < 2 {
		return c, false
	}
	mean, spread := stat.MeanStdDev(differences, nil)
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * stat.StdErr(spread, n)
	return comparison{len(differences), stat.Mean(as, nil), stat.Mean(bs, nil), mean, half}, true
}

func (c comparison) difference() string {
	return fmt.Sprintf("%+.2f | %+.2f to %+.2f", c.mean, c.mean-c.half, c.mean+c.half)
}
