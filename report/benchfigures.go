package report

import (
	"fmt"
	"slices"
	"strings"
)

// figures are the comparison's pictures: those whose figures were measured.
func (b Bench) figures() []figure {
	if len(b.Rows) == 0 {
		return nil
	}
	fs := []figure{b.tradeoff()}
	for _, f := range []func() (figure, bool){b.distributions, b.byOperator} {
		if f, ok := f(); ok {
			fs = append(fs, f)
		}
	}
	return fs
}

func field(id, title, desc string, height float64) *figure {
	return &figure{id: id, title: title, desc: desc, width: 640, height: height}
}

// tradeoff is accuracy against latency: the further up and to the left, the better.
func (b Bench) tradeoff() figure {
	f := frame{figure: field("tradeoff", "Accuracy against latency",
		"Each point is a row. Up is more accurate, left is faster. Lines reach over top-1's interval of 95 % and from p50 to p99.", 380)}
	lo, hi, slow, fast := 100., 0., 0., b.Rows[0].Latency.P50
	for _, r := range b.Rows {
		lo, hi = min(lo, 100*r.Accuracy.CI95[0]), max(hi, 100*r.Accuracy.CI95[1])
		fast, slow = min(fast, r.Latency.P50), max(slow, r.Latency.P99)
	}
	f.x = logarithmic(fast, slow, marginLeft, f.width-marginRight)
	f.y = linear(lo, hi, f.height-marginBelow, marginTop)
	f.axes("latency of a call, µs (logarithmic)", "top-1, %")
	var taken []box
	labels := b.labels()
	for i, r := range b.Rows {
		x, y := f.x.at(r.Latency.P50), f.y.at(100*r.Accuracy.Top1)
		style := series(i)
		f.line(style+" whisker", point{x, f.y.at(100 * r.Accuracy.CI95[0])}, point{x, f.y.at(100 * r.Accuracy.CI95[1])})
		f.line(style+" whisker", point{x, y}, point{f.x.at(r.Latency.P99), y})
		taken = append(taken, box{x - 7, y - 7, x + 7, y + 7})
	}
	for i, r := range b.Rows {
		at := point{f.x.at(r.Latency.P50), f.y.at(100 * r.Accuracy.Top1)}
		f.add(mark{shape: dot, style: series(i), at: []point{at},
			tip: fmt.Sprintf("%s: %s %%, p50 %s µs, p99 %s µs", labels[i], top1Text(r.Accuracy), usText(r.Latency.P50), usText(r.Latency.P99))})
		label := shorten(labels[i], 40)
		to, a, place := beside(at, label, taken, box{marginLeft, marginTop - 10, f.width, f.height - marginBelow})
		taken = append(taken, place)
		f.text("", to, a, label)
	}
	return *f.figure
}

// box is a rectangle in use.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) meets(o box) bool { return b.x0 < o.x1 && o.x0 < b.x1 && b.y0 < o.y1 && o.y0 < b.y1 }

// beside is a place for a label near a point: the first of those around it that lies in the field and on nothing taken.
func beside(at point, text string, taken []box, field box) (point, anchor, box) {
	const digit, height = 6.6, 15 // of the font, nearly
	width := digit * float64(len([]rune(text)))
	place := func(dx, dy float64, a anchor) (point, anchor, box) {
		p := point{at.x + dx, at.y + dy}
		left := p.x
		switch a {
		case middle:
			left -= width / 2
		case end:
			left -= width
		}
		return p, a, box{left, p.y - height + 3, left + width, p.y + 3}
	}
	free := func(b box) bool {
		return b.x0 >= field.x0 && b.x1 <= field.x1 && b.y0 >= field.y0 && b.y1 <= field.y1 &&
			!slices.ContainsFunc(taken, b.meets)
	}
	for _, dy := range []float64{-9, 19, -24, 34, -39, 49} {
		for _, c := range []struct {
			dx float64
			a  anchor
		}{{9, start}, {-9, end}, {0, middle}} {
			if p, a, b := place(c.dx, dy, c.a); free(b) {
				return p, a, b
			}
		}
	}
	return place(9, -9, start)
}

// distributions is the share of calls that took at most a time, a curve a row: steep is steady.
func (b Bench) distributions() (figure, bool) {
	f := frame{figure: field("distribution", "Distribution of latency",
		"The share of calls that took at most a time, a curve a row. The further left the faster, the steeper the steadier.", 380)}
	fast, slow := 0., 0.
	for _, r := range b.Rows {
		if len(r.Percentiles) > 1 {
			if fast == 0 {
				fast = r.Percentiles[0]
			}
			fast, slow = min(fast, r.Percentiles[0]), max(slow, r.Percentiles[len(r.Percentiles)-1])
		}
	}
	if !(fast > 0) {
		return figure{}, false
	}
	f.x = logarithmic(fast, slow, marginLeft, f.width-marginRight)
	f.y = linear(0, 100, f.height-marginBelow, marginTop)
	f.axes("latency of a call, µs (logarithmic)", "share of calls, %")
	for i, label := range b.labels() {
		ps := b.Rows[i].Percentiles
		if len(ps) < 2 {
			continue
		}
		var curve []point
		for k, us := range ps {
			curve = append(curve, point{f.x.at(us), f.y.at(100 * float64(k) / float64(len(ps)-1))})
		}
		l := b.Rows[i].Latency
		f.add(mark{shape: line, style: series(i), at: curve, tip: fmt.Sprintf("%s: p50 %s, p90 %s, p99 %s µs", label, usText(l.P50), usText(l.P90), usText(l.P99))})
		f.legend = append(f.legend, key{series(i), label, false})
	}
	return *f.figure, true
}

// byOperator is a bar for each profiled row, divided as its time is among the kinds of operators.
func (b Bench) byOperator() (figure, bool) {
	var profiled []int
	var ops []string // in the order of the first row's cost, so that a kind has one colour
	for i, r := range b.Rows {
		if r.Profile == nil || len(r.Profile.Nodes) == 0 {
			continue
		}
		profiled = append(profiled, i)
		for _, k := range kinds(*r.Profile) {
			if !slices.Contains(ops, k.op) {
				ops = append(ops, k.op)
			}
		}
	}
	if len(profiled) == 0 {
		return figure{}, false
	}
	const step = 46
	f := frame{figure: field("operators", "Time by operator", "", marginTop+marginBelow+step*float64(len(profiled)))}
	f.x = linear(0, 100, 20, f.width-marginRight)
	f.y = scale{lo: 0, hi: 1, from: f.height - marginBelow, to: marginTop - 12}
	f.ruler("share of the operators' time, %")
	labels := b.labels()
	var said []string
	for n, i := range profiled {
		top := marginTop + step*float64(n)
		p := b.Rows[i].Profile
		f.text("", point{f.x.from, top}, start, fmt.Sprintf("%s: %s µs in operators", labels[i], usText(p.CallUS-p.RestUS)))
		at := 0.
		ks := kinds(*p)
		for _, k := range ks {
			f.rect(series(slices.Index(ops, k.op)), fmt.Sprintf("%s: %s µs, %.1f %%, %s", k.op, usText(k.us), 100*k.share, plural(k.nodes, "node")),
				point{f.x.at(at), top + 6}, point{f.x.at(at + 100*k.share), top + 26})
			at += 100 * k.share
		}
		said = append(said, fmt.Sprintf("%s: most on %s, %.0f %%", labels[i], ks[0].op, 100*ks[0].share))
	}
	f.caption = "A bar a row, divided by kind of operator; the numbers are below."
	f.desc = f.caption + " " + strings.Join(said, "; ") + "."
	for i, op := range ops {
		f.legend = append(f.legend, key{series(i), op, true})
	}
	return *f.figure, true
}
