package train

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// epochRow is what is recorded of one epoch; accuracies are shares, 0..1.
type epochRow struct {
	Epoch           int     `json:"epoch"` // from 1
	Step            int64   `json:"step"`  // at its end
	LR              float64 `json:"lr"`    // of its last step
	TrainLoss       float64 `json:"train_loss"`
	TrainTop1       float64 `json:"train_top1"` // on the augmented images, while learning
	ValLoss         float64 `json:"val_loss"`
	ValTop1         float64 `json:"val_top1"`
	Time            int64   `json:"time,omitempty"`    // when it ended, seconds since 1970
	Seconds         float64 `json:"seconds"`           // training and validation
	ImagesPerSecond float64 `json:"images_per_second"` // training alone
}

// history is a run's epochs so far. It travels inside the checkpoint, so that the files made of it always agree with it.
type history []epochRow

func (h history) encode() string {
	text, err := json.Marshal(h)
	if err != nil { // only for values that are not finite, which end a run before they get here
		return "[]"
	}
	return string(text)
}

func decodeHistory(text string) (h history, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return h, nil
}

// best returns the index of the epoch with the highest validation accuracy, the earliest of equals, or -1.
func (h history) best() int {
	best := -1
	for i, e := range h {
		if best < 0 || e.ValTop1 > h[best].ValTop1 {
			best = i
		}
	}
	return best
}

// at returns the epoch that ended with a step.
func (h history) at(step int64) (epochRow, bool) {
	for _, e := range h {
		if e.Step == step {
			return e, true
		}
	}
	return epochRow{}, false
}

// csv returns metrics.csv: a header and one row an epoch.
func (h history) csv() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"epoch", "step", "lr", "train_loss", "train_top1", "val_loss", "val_top1", "seconds", "images_per_second"})
	f := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, e := range h {
		speed := "" // unknown of an epoch that was resumed at its very end
		if e.ImagesPerSecond > 0 {
			speed = f(e.ImagesPerSecond)
		}
		w.Write([]string{strconv.Itoa(e.Epoch), strconv.FormatInt(e.Step, 10), f(e.LR), f(e.TrainLoss), f(e.TrainTop1),
			f(e.ValLoss), f(e.ValTop1), f(e.Seconds), speed})
	}
	w.Flush() // into memory: it cannot fail
	return b.Bytes()
}

// curves draws loss and accuracy over the epochs, for training and validation, one panel above the other. What a taught run minimizes is no
// cross entropy with the labels, and is left out.
func (h history) curves(title string, taught bool) ([]byte, error) {
	series := func(y func(epochRow) float64) plotter.XYs {
		xy := make(plotter.XYs, len(h))
		for i, e := range h {
			xy[i] = plotter.XY{X: float64(e.Epoch), Y: y(e)}
		}
		return xy
	}
	type curve struct {
		name  string
		color color.RGBA
		of    func(epochRow) float64
	}
	training := func(y func(epochRow) float64) curve {
		return curve{"training", color.RGBA{R: 0xd9, G: 0x5f, B: 0x02, A: 0xff}, y}
	}
	validation := func(y func(epochRow) float64) curve {
		return curve{"validation", color.RGBA{R: 0x1b, G: 0x6c, B: 0xa8, A: 0xff}, y}
	}
	panel := func(label string, curves ...curve) (*plot.Plot, error) {
		p := plot.New()
		p.X.Label.Text, p.Y.Label.Text = "epoch", label
		p.Add(plotter.NewGrid())
		for _, s := range curves {
			line, points, err := plotter.NewLinePoints(series(s.of))
			if err != nil {
				return nil, err
			}
			line.Color, points.Color = s.color, s.color
			line.Width, points.Shape, points.Radius = vg.Points(1.5), draw.CircleGlyph{}, vg.Points(2)
			p.Add(line, points)
			p.Legend.Add(s.name, line, points)
		}
		return p, nil
	}
	losses := []curve{validation(func(e epochRow) float64 { return e.ValLoss })}
	if !taught {
		losses = append(losses, training(func(e epochRow) float64 { return e.TrainLoss }))
	}
	loss, err := panel("cross entropy", losses...)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", curvesFile, err)
	}
	accuracy, err := panel("top-1, %", validation(func(e epochRow) float64 { return 100 * e.ValTop1 }), training(func(e epochRow) float64 { return 100 * e.TrainTop1 }))
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", curvesFile, err)
	}
	loss.Title.Text = title
	// A first epoch at a high rate may have a validation loss that would press all else flat.
	highest := 0.0
	for _, e := range h {
		highest = max(highest, 2*e.TrainLoss)
	}
	if !taught && loss.Y.Max > highest {
		loss.Y.Max, loss.Y.Label.Text = highest, loss.Y.Label.Text+" (cut off above)"
	}
	loss.Legend.Top = true

	img := vgimg.New(16*vg.Centimeter, 18*vg.Centimeter)
	page := draw.New(img)
	panels := [][]*plot.Plot{{loss}, {accuracy}}
	canvases := plot.Align(panels, draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Millimeter * 4, PadTop: 4, PadBottom: 4, PadLeft: 4, PadRight: 8}, page)
	loss.Draw(canvases[0][0])
	accuracy.Draw(canvases[1][0])
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("train: %s: %w", curvesFile, err)
	}
	return b.Bytes(), nil
}
