package graph

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mnet-edge/quant"
)

// String is Fprint's text.
func (g *Graph) String() string {
	var b strings.Builder
	Fprint(&b, g)
	return b.String()
}

// Fprint writes the graph as text, one value a line: its name, what defines it, its type. Constants stand before
// their first use, with a checksum of their data; of several outputs each says which ones it is. Two graphs with the same text compute the
// same function. A name that is empty or taken gets the value's number appended, one that could be taken for something else is quoted.
func Fprint(w io.Writer, g *Graph) error {
	label := map[*Value]string{}
	taken := map[string]bool{}
	values := g.Values()
	for i, v := range values {
		l := plain(v.Name)
		if l == "" || taken[l] { // a # stands in quotes only: nobody has this one
			l = fmt.Sprintf("%s#%d", l, i)
		}
		taken[l], label[v] = true, l
	}
	outputs := map[*Value][]int{}
	for i, v := range g.Outputs {
		outputs[v] = append(outputs[v], i)
	}
	p := &printer{w: w}
	p.printf("graph %q %v\n", g.Name, g.Level)
	for _, v := range values {
		p.printf("%s = ", label[v])
		switch {
		case v.Def != nil:
			p.printf("%s(", v.Def.Op.Name())
			for i, in := range v.Def.In {
				if i > 0 {
					p.printf(", ")
				}
				p.printf("%s", label[in])
			}
			p.printf(")%s", v.Def.Op.attrs())
		case v.Constant():
			p.printf("const %08x", checksum(v.Data))
		default:
			p.printf("input")
		}
		p.printf(" : %v%s", v.Type, interval(v.Range))
		to := " -> output"
		for _, i := range outputs[v] {
			if p.printf("%s", to); len(g.Outputs) > 1 {
				p.printf(" %d", i)
			}
			to = ""
		}
		p.printf("\n")
	}
	p.meta(g.Meta)
	return p.err
}

// plain is a name as the text has it: in quotes where something in it means something there.
func plain(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return strings.ContainsRune(`"#(),= `, r) || !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// printer keeps the first write error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) meta(m Meta) {
	for _, f := range []struct{ key, val string }{
		{"description", m.Description}, {"version", m.Version}, {"author", m.Author}, {"license", m.License},
	} {
		if f.val != "" {
			p.printf("%s %q\n", f.key, f.val)
		}
	}
	if len(m.Mean) > 0 {
		p.printf("normalization mean=%v std=%v\n", m.Mean, m.Std)
	}
	if len(m.Labels) > 0 {
		p.printf("labels %q", m.Labels)
		if m.LabelsOf > 0 {
			p.printf(" of output %d", m.LabelsOf)
		}
		p.printf("\n")
	}
	if s := m.Signature; s.Key != "" || s.Inputs != nil || s.Outputs != nil {
		p.printf("signature %q %q -> %q\n", s.Key, s.Inputs, s.Outputs)
	}
	for _, k := range slices.Sorted(maps.Keys(m.Extra)) {
		p.printf("extra %q %d bytes %08x\n", k, len(m.Extra[k]), checksum(m.Extra[k]))
	}
}

// String is the type's text: int8[1,32,32,3] {0.015625:-7}. A per-channel quantization shows its smallest and largest
// scale, and a checksum of them all.
func (t Type) String() string {
	s := t.DType.String() + strings.ReplaceAll(fmt.Sprint(t.Shape), " ", ",")
	if t.Quant != nil {
		s += " " + quantText(t.Quant)
	}
	return s
}

func quantText(q *quant.Params) string {
	if len(q.Scale) == 1 {
		return fmt.Sprintf("{%v:%d}", q.Scale[0], q.Zero[0])
	}
	return fmt.Sprintf("{%d scales %v..%v axis %d %08x}", len(q.Scale), slices.Min(q.Scale), slices.Max(q.Scale), q.Axis,
		checksum(q.Scale, q.Zero))
}

func interval(r *Interval) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf(" in [%v, %v]", r.Min, r.Max)
}

// checksum is the CRC-32 of the data in little-endian order, one after the other.
func checksum(data ...any) uint32 {
	h := crc32.NewIEEE()
	for _, d := range data {
		binary.Write(h, binary.LittleEndian, d) // a hash takes every write, and each is a slice of numbers
	}
	return h.Sum32()
}
