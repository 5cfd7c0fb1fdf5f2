package report

import (
	"fmt"
	"math"
	"strings"
)

// figure is a drawing: marks on a canvas of width x height units, the origin at the top left. What each mark looks like
// is its style's to say, so that a page can follow its reader's colours; figures know no colour.
type figure struct {
	id            string // of its title and description in a page
	title, desc   string // what it shows, for those who cannot see it
	caption       string // for those who do; "" is desc
	width, height float64
	marks         []mark
	legend        []key
}

// key explains a style, of lines or of areas.
type key struct {
	style, text string
	area        bool
}

type point struct{ x, y float64 }

type shape uint8

const (
	line  shape = iota // through the points
	area               // the polygon of the points
	dot                // a disc at each point
	label              // text at the one point
)

// mark is a thing drawn. Styles: grid, axis, tick, name, soft, and a series' s0 to s7, perhaps again.
type mark struct {
	shape  shape
	style  string
	at     []point
	text   string // of a label
	anchor anchor // where the label's point is
	tip    string // what a pointer over it is told
}

type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

// seriesStyles is how many series differ in colour; as many more are told from these by being "again".
const seriesStyles = 8

func series(i int) string {
	style := fmt.Sprintf("s%d", i%seriesStyles)
	if i/seriesStyles%2 == 1 {
		style += " again"
	}
	return style
}

func (f *figure) line(style string, at ...point) { f.add(mark{shape: line, style: style, at: at}) }

func (f *figure) text(style string, at point, a anchor, text string) {
	f.add(mark{shape: label, style: style, at: []point{at}, anchor: a, text: text})
}

func (f *figure) rect(style, tip string, from, to point) {
	f.add(mark{shape: area, style: style, tip: tip, at: []point{from, {to.x, from.y}, to, {from.x, to.y}}})
}

func (f *figure) add(m mark) { f.marks = append(f.marks, m) }

// scale maps values from lo..hi to places on the canvas.
type scale struct {
	lo, hi   float64
	from, to float64
	log      bool
}

func (s scale) at(v float64) float64 {
	lo, hi := s.lo, s.hi
	if s.log {
		lo, hi, v = math.Log(lo), math.Log(hi), math.Log(v)
	}
	return s.from + (s.to-s.from)*(v-lo)/(hi-lo)
}

// linear is a scale over lo..hi, widened to round numbers; without an extent of its own it gets one.
func linear(lo, hi, from, to float64) scale {
	if !(hi > lo) {
		half := max(math.Abs(lo)/10, 0.5)
		lo, hi = lo-half, hi+half
	}
	step := stepFor(hi-lo, 6)
	return scale{lo: math.Floor(lo/step) * step, hi: math.Ceil(hi/step) * step, from: from, to: to}
}

// logarithmic is a scale over lo..hi, both more than 0, with some room around.
func logarithmic(lo, hi, from, to float64) scale {
	room := math.Pow(hi/lo, 0.06) * 1.05
	return scale{lo: lo / room, hi: hi * room, from: from, to: to, log: true}
}

// stepFor is the 1, 2 or 5 times a power of ten that divides extent in at most n steps or few more.
func stepFor(extent float64, n int) float64 {
	base := math.Pow(10, math.Floor(math.Log10(extent/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if extent/(m*base) <= float64(n) {
			return m * base
		}
	}
	return 10 * base
}

// ticks are the round numbers of the scale that are worth a line.
func (s scale) ticks() []float64 {
	var ts []float64
	if !s.log {
		step := stepFor(s.hi-s.lo, 6)
		for i := math.Ceil(s.lo/step - 1e-9); i*step <= s.hi+step*1e-9; i++ {
			ts = append(ts, i*step)
		}
		return ts
	}
	in := func(factors ...float64) []float64 {
		var ts []float64
		for e := math.Floor(math.Log10(s.lo)); math.Pow(10, e) <= s.hi; e++ {
			for _, m := range factors {
				if t := m * math.Pow(10, e); t >= s.lo && t <= s.hi {
					ts = append(ts, t)
				}
			}
		}
		return ts
	}
	for _, factors := range [][]float64{{1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 5, 7}} {
		if ts = in(factors...); len(ts) >= 4 {
			return ts
		}
	}
	if len(ts) < 2 { // less than a step apart: as on a linear scale
		s.log = false
		return s.ticks()
	}
	return ts
}

// number is a tick's text: no more digits than it has, no exponent in the usual range.
func number(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-3 || a >= 1e7) {
		return fmt.Sprintf("%.3g", v)
	}
	s := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.4f", v), "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

// frame is the field of a figure that has axes.
type frame struct {
	*figure
	x, y scale
}

// Room around the field: left for the y axis' numbers, below for the x axis' and its name.
const (
	marginLeft, marginRight = 64, 20
	marginTop, marginBelow  = 34, 52
)

// axes draws the lines and numbers of both scales, and their names with units.
func (f frame) axes(x, y string) {
	left, right := f.x.from, f.x.to
	below, top := f.y.from, f.y.to
	f.ruler(x)
	for _, t := range f.y.ticks() {
		at := f.y.at(t)
		f.line("grid", point{left, at}, point{right, at})
		f.text("tick", point{left - 8, at + 4}, end, number(t))
	}
	f.line("axis", point{left, top}, point{left, below}, point{right, below})
	f.text("name", point{8, top - 14}, start, y)
}

// ruler draws the lines and numbers of the x axis, and its name.
func (f frame) ruler(name string) {
	for _, t := range f.x.ticks() {
		at := f.x.at(t)
		f.line("grid", point{at, f.y.from}, point{at, f.y.to})
		f.text("tick", point{at, f.y.from + 17}, middle, number(t))
	}
	f.text("name", point{(f.x.from + f.x.to) / 2, f.y.from + 40}, middle, name)
}
