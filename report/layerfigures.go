package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"mnet-edge/convert"
	"mnet-edge/graph"
)

// Figures with a row for each layer.
const (
	rowHeight = 19
	rowLabel  = 150 // room for the layers' names
)

// span is from a value to another.
type span struct{ lo, hi float64 }

func extents(rs []graph.Interval) []span {
	var all []span
	for _, r := range rs {
		if r.Min <= r.Max {
			all = append(all, span{float64(r.Min), float64(r.Max)})
		}
	}
	return all
}

func union(all []span) span {
	if len(all) == 0 {
		return span{}
	}
	u := all[0]
	for _, s := range all[1:] {
		u = span{min(u.lo, s.lo), max(u.hi, s.hi)}
	}
	return u
}

// rows is a frame with a labelled row for each name; row i is around y.at(i).
func rows(f *figure, names []string, lo, hi float64, axis string) frame {
	f.height = marginTop + marginBelow + rowHeight*float64(len(names))
	fr := frame{figure: f, x: linear(lo, hi, rowLabel, f.width-marginRight)}
	fr.y = scale{lo: -0.5, hi: float64(len(names)) - 0.5, from: marginTop - 8, to: f.height - marginBelow}
	bottom := scale{lo: 0, hi: 1, from: fr.y.to, to: fr.y.from}
	frame{figure: f, x: fr.x, y: bottom}.ruler(axis)
	for i, name := range names {
		f.text("tick", point{rowLabel - 8, fr.y.at(float64(i)) + 4}, end, shorten(name, 22))
	}
	return fr
}

// errors are each layer's signal to noise, of its weights and of its output.
func (q Quantization) errors() figure {
	var names []string
	lo, hi := 0., 0.
	for _, l := range q.Result.Layers {
		names = append(names, l.Name)
		for _, db := range []float64{l.WeightSNR, l.ActivationSNR} {
			if math.Abs(db) < convert.MaxDB {
				lo, hi = min(lo, db), max(hi, db)
			}
		}
	}
	worst, _ := q.worst()
	f := rows(field("errors", "Signal to noise of each layer",
		fmt.Sprintf("Further right is better. A layer's output has the errors of all layers before it in it; the worst is %s, %.1f dB.", shorten(worst.Name, 40), worst.ActivationSNR), 0),
		names, lo, hi, "signal to quantization noise, dB")
	var weights, outputs []point
	for i, l := range q.Result.Layers {
		y := f.y.at(float64(i))
		at := func(db float64) point { return point{f.x.at(min(max(db, f.x.lo), f.x.hi)), y} }
		weights, outputs = append(weights, at(l.WeightSNR)), append(outputs, at(l.ActivationSNR))
		f.add(mark{shape: dot, style: series(1), at: []point{at(l.WeightSNR)}, tip: fmt.Sprintf("%s: weights %.1f dB", l.Name, l.WeightSNR)})
		f.add(mark{shape: dot, style: series(0), at: []point{at(l.ActivationSNR)}, tip: fmt.Sprintf("%s: output %.1f dB, cosine %.5f, clipped %.3f %%",
			l.Name, l.ActivationSNR, l.Cosine, 100*l.Clipped)})
	}
	f.line(series(1), weights...)
	f.line(series(0), outputs...)
	f.legend = []key{{series(0), "output", false}, {series(1), "weights", false}}
	return *f.figure
}

// spreads are the channels of each layer, ordered, as a shape within what the layer spans.
func (q Quantization) spreads(id, title, axis, desc string, of func(convert.LayerRanges) (channels []span, whole span)) figure {
	var names []string
	var all []span
	for _, l := range q.Ranges {
		names = append(names, l.Name)
		channels, whole := of(l)
		all = append(append(all, channels...), whole)
	}
	u := union(all)
	f := rows(field(id, title, desc, 0), names, u.lo, u.hi, axis)
	const half = rowHeight * 0.42
	for i, l := range q.Ranges {
		channels, whole := of(l)
		if len(channels) == 0 {
			continue
		}
		y := f.y.at(float64(i))
		f.rect("soft", "", point{f.x.at(whole.lo), y - half}, point{f.x.at(whole.hi), y + half})
		slices.SortFunc(channels, func(a, b span) int { return cmp.Compare(b.hi, a.hi) })
		var left, right []point
		for k, c := range channels {
			top := y - half + 2*half*float64(k)/float64(len(channels))
			bottom := y - half + 2*half*float64(k+1)/float64(len(channels))
			right = append(right, point{f.x.at(c.hi), top}, point{f.x.at(c.hi), bottom})
			left = append(left, point{f.x.at(c.lo), top}, point{f.x.at(c.lo), bottom})
		}
		slices.Reverse(left)
		u := union(channels)
		f.add(mark{shape: area, style: series(0) + " solid", at: append(right, left...),
			tip: fmt.Sprintf("%s: %s from %.4g to %.4g, of %.4g to %.4g", l.Name, plural(len(channels), "channel"), u.lo, u.hi, whole.lo, whole.hi)})
	}
	return *f.figure
}

// convergence is how far the ranges still moved as the samples doubled.
func convergence(c convert.Calibration) figure {
	f := frame{figure: field("convergence", "Were the samples enough?", "", 380)}
	first, last := c.Curve[1], c.Curve[len(c.Curve)-1]
	most := 100 * convert.EnoughMoved
	for _, m := range c.Curve[1:] {
		most = max(most, 100*m.Worst)
	}
	f.x = logarithmic(float64(first.Samples), float64(last.Samples), marginLeft, f.width-marginRight)
	f.y = linear(0, most, f.height-marginBelow, marginTop)
	f.axes("samples (logarithmic)", "movement since half as many samples, % of a range's width")
	var mean, worst []point
	for _, m := range c.Curve[1:] {
		x := f.x.at(float64(m.Samples))
		mean, worst = append(mean, point{x, f.y.at(100 * m.Mean)}), append(worst, point{x, f.y.at(100 * m.Worst)})
		f.add(mark{shape: dot, style: series(0), at: mean[len(mean)-1:], tip: fmt.Sprintf("%d samples: %.2f %% on the average", m.Samples, 100*m.Mean)})
		f.add(mark{shape: dot, style: series(1), at: worst[len(worst)-1:], tip: fmt.Sprintf("%d samples: %.2f %% at most, %s", m.Samples, 100*m.Worst, m.Layer)})
	}
	f.line(series(0), mean...)
	f.line(series(1), worst...)
	enough := f.y.at(100 * convert.EnoughMoved)
	f.line("thin", point{f.x.from, enough}, point{f.x.to, enough})
	f.text("tick", point{f.x.to, enough - 5}, end, fmt.Sprintf("enough: %.0f %%", 100*convert.EnoughMoved))
	f.legend = []key{{series(0), "mean over all activations", false}, {series(1), "the activation that moved most", false}}
	f.desc = fmt.Sprintf("From %d to %d samples the ranges moved by %.2f %% on the average, by %.2f %% at most; under %.0f %% more samples are not worth having.",
		c.Curve[len(c.Curve)-2].Samples, last.Samples, 100*last.Mean, 100*last.Worst, 100*convert.EnoughMoved)
	return *f.figure
}

// stack puts figures below each other, each under its title and with its legend.
func stack(id, title string, figures []figure) figure {
	const gap, head = 24, 30
	s := figure{id: id, title: title, width: 640, height: gap}
	for _, f := range figures {
		s.text("head", point{8, s.height + 14}, start, f.title)
		x := 8.
		if len(f.legend) > 0 {
			s.height += 20
		}
		for _, k := range f.legend {
			s.line(k.style, point{x, s.height + 10}, point{x + 22, s.height + 10})
			s.text("", point{x + 28, s.height + 14}, start, k.text)
			x += 50 + 7*float64(len(k.text))
		}
		s.height += head
		for _, m := range f.marks {
			m.at = slices.Clone(m.at)
			for i := range m.at {
				m.at[i].y += s.height
			}
			s.marks = append(s.marks, m)
		}
		s.height += f.height + gap
		s.desc += f.title + ". " + f.desc + " "
	}
	return s
}
