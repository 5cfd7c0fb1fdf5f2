package report

import (
	"fmt"
	"image/color"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// writeSVG writes the figure as a file of its own, with the style sheet of the pages in it.
func (f figure) writeSVG(w io.Writer) error {
	body := string(f.svg())
	body = strings.Replace(body, "<svg ", fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" `, f.width, f.height), 1)
	body = strings.Replace(body, "<title", "<style>"+pageCSS+"\nsvg { background: var(--paper); }</style>\n<title", 1)
	_, err := io.WriteString(w, body+"\n")
	return err
}

// palette is the style sheet's light colours, by the names of their variables.
var palette = sync.OnceValue(func() map[string]color.Color {
	light, _, _ := strings.Cut(pageCSS, "}")
	p := map[string]color.Color{}
	for _, m := range regexp.MustCompile(`--([a-z0-9]+): #([0-9a-f]{6})`).FindAllStringSubmatch(light, -1) {
		rgb, _ := strconv.ParseUint(m[2], 16, 32) // six digits, as the pattern says
		p[m[1]] = color.NRGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 255}
	}
	return p
})

// inks are the variables that a style stands for, where they are not the same; s0 to s7 are.
var inks = map[string]string{"": "ink", "head": "ink", "grid": "rule", "axis": "soft", "thin": "soft", "tick": "soft", "name": "soft"}

// ink is what a mark is drawn with.
func (m mark) ink() color.Color {
	name, _, _ := strings.Cut(m.style, " ")
	if m.shape == area && name == "soft" {
		name = "rule"
	}
	if v, ok := inks[name]; ok {
		name = v
	}
	return palette()[name]
}

// fonts are those that the module brings: none of the system's are needed.
var fonts = sync.OnceValue(func() *font.Cache { return font.NewCache(liberation.Collection()) })

// writePNG draws the figure at two pixels a unit.
func (f figure) writePNG(w io.Writer) error {
	const dpi = 144 // a unit is a point, of which an inch has 72
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(f.width), vg.Length(f.height)), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(palette()["paper"]))
	at := func(p point) vg.Point { return vg.Point{X: vg.Length(p.x), Y: vg.Length(f.height - p.y)} }
	for _, m := range f.marks {
		c.SetColor(m.ink())
		c.SetLineWidth(1)
		switch m.shape {
		case label:
			face := fonts().Lookup(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Length(map[bool]float64{true: 14, false: 11}[m.style == "head"]))
			p := at(m.at[0])
			switch m.anchor {
			case middle:
				p.X -= face.Width(m.text) / 2
			case end:
				p.X -= face.Width(m.text)
			}
			c.FillString(face, p, m.text)
		case dot:
			for _, p := range m.at {
				var path vg.Path
				path.Move(at(point{p.x + 4, p.y}))
				path.Arc(at(p), 4, 0, 6.2832)
				path.Close()
				c.Fill(path)
			}
		default:
			if len(m.at) == 0 {
				continue
			}
			var path vg.Path
			path.Move(at(m.at[0]))
			for _, p := range m.at[1:] {
				path.Line(at(p))
			}
			if m.shape == area {
				path.Close()
				c.Fill(path)
				continue
			}
			if strings.HasPrefix(m.style, "s") {
				c.SetLineWidth(2)
			}
			c.Stroke(path)
		}
	}
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}
