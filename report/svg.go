package report

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"unicode"
)

// svg is the figure as an element of a page, whose style sheet gives the styles their looks. Its text is readable to a
// program that reads pages aloud, and nothing in it runs.
func (f figure) svg() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="%s-title %[3]s-desc">`+"\n", f.width, f.height, f.id)
	fmt.Fprintf(&b, "<title id=\"%s-title\">%s</title>\n", f.id, xmlText(f.title))
	fmt.Fprintf(&b, "<desc id=\"%s-desc\">%s</desc>\n", f.id, xmlText(f.desc))
	for _, m := range f.marks {
		m.svg(&b)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // every text in it was escaped
}

// xmlText is a text for XML, which has no form for most control characters, two that are none, and bytes that are no UTF-8.
func xmlText(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar))))
}

func (m mark) svg(b *strings.Builder) {
	tip := ""
	if m.tip != "" {
		tip = "<title>" + xmlText(m.tip) + "</title>"
	}
	switch m.shape {
	case label:
		fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s%s</text>`+"\n",
			m.style, m.at[0].x, m.at[0].y, m.anchor, xmlText(m.text), tip)
	case dot:
		for _, p := range m.at {
			fmt.Fprintf(b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="5">%s</circle>`+"\n", m.style, p.x, p.y, tip)
		}
	default:
		element, class := "polyline", "line"
		if m.shape == area {
			element, class = "polygon", "area"
		}
		fmt.Fprintf(b, `<%s class="%s %s" points="`, element, class, m.style)
		for i, p := range m.at {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(b, "%.1f,%.1f", p.x, p.y)
		}
		fmt.Fprintf(b, `">%s</%s>`+"\n", tip, element)
	}
}
