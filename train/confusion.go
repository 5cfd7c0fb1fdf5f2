package train

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// confusion counts images: confusion[label][predicted].
type confusion [][]int

func newConfusion(classes int) confusion {
	m := make(confusion, classes)
	for i := range m {
		m[i] = make([]int, classes)
	}
	return m
}

// share is the part of a label's images that were taken for predicted, 0..1.
func (m confusion) share(label, predicted int) float64 {
	total := 0
	for _, n := range m[label] {
		total += n
	}
	return float64(m[label][predicted]) / math.Max(1, float64(total))
}

// The matrix as plotter.HeatMap wants it: columns are predictions; rows are labels, the first at the top.
func (m confusion) Dims() (columns, rows int) { return len(m), len(m) }
func (m confusion) X(column int) float64      { return float64(column) }
func (m confusion) Y(row int) float64         { return float64(row) }
func (m confusion) Z(column, row int) float64 { return m.share(len(m)-1-row, column) }

// shades is a palette from white to a dark blue.
type shades []color.Color

func (s shades) Colors() []color.Color { return s }

func newShades(n int) shades {
	s := make(shades, n)
	for i := range s {
		to := func(dark float64) uint8 { return uint8(255 - (255-dark)*float64(i)/float64(n-1)) }
		s[i] = color.RGBA{R: to(8), G: to(64), B: to(129), A: 255}
	}
	return s
}

// maxCounted is the number of classes up to which there is room for a count in each cell, and for the classes' names.
const maxCounted = 20

// picture draws the matrix with the classes' names; each row's shades are shares of that class's images.
func (m confusion) picture(title string, classes []string) ([]byte, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "taken for", "is"
	heat := plotter.NewHeatMap(m, newShades(64))
	heat.Min, heat.Max = 0, 1
	p.Add(heat)
	side := 16 * vg.Centimeter
	if len(m) <= maxCounted {
		side = 6*vg.Centimeter + vg.Length(len(m))*1.2*vg.Centimeter
		var columns, rows []string
		for i, name := range classes {
			columns, rows = append(columns, name), append(rows, classes[len(classes)-1-i])
		}
		p.NominalX(columns...)
		p.NominalY(rows...)
		p.X.Tick.Label.Rotation = math.Pi / 4
		p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YCenter
		counts, err := m.counts()
		if err != nil {
			return nil, fmt.Errorf("train: %s: %w", confusionFile, err)
		}
		p.Add(counts)
	}
	img := vgimg.New(side, side)
	p.Draw(draw.Crop(draw.New(img), 6, -10, 6, -6))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("train: %s: %w", confusionFile, err)
	}
	return b.Bytes(), nil
}

// counts are the numbers in the cells, white where the cell is dark; zeros are left out.
func (m confusion) counts() (*plotter.Labels, error) {
	var at plotter.XYLabels
	var dark []bool
	for label, row := range m {
		for predicted, n := range row {
			if n > 0 {
				at.XYs = append(at.XYs, plotter.XY{X: float64(predicted), Y: float64(len(m) - 1 - label)})
				at.Labels = append(at.Labels, strconv.Itoa(n))
				dark = append(dark, m.share(label, predicted) > 0.5)
			}
		}
	}
	l, err := plotter.NewLabels(at)
	if err != nil {
		return nil, err
	}
	for i := range l.TextStyle {
		ink := color.Gray{Y: 40}
		if dark[i] {
			ink = color.Gray{Y: 255}
		}
		l.TextStyle[i] = text.Style{
			Color: ink, Font: font.From(plot.DefaultFont, 10), Handler: plot.DefaultTextHandler,
			XAlign: text.XCenter, YAlign: text.YCenter,
		}
	}
	return l, nil
}
