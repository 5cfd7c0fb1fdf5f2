package tflite

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
)

// called is a file with one operator of a code, whose options are of a kind: the input x, constants of int32 behind it
// (or before it, where first says so), each a vector, or a scalar if it is of one number, and results of shapes, all of
// which but the unread are the model's.
type called struct {
	code   int32
	kind   uint8
	option obj
	x      []int
	args   [][]int32
	first  bool
	give   [][]int
	unread []int
}

func (c called) file(t *testing.T) []byte {
	t.Helper()
	g := graph.New("call")
	g.Level = graph.Folded
	x := g.Input("x", graphtest.Floats(c.x...))
	g.Outputs = []*graph.Value{g.Apply("y", graph.Reshape{Shape: c.x}, x)} // in whose place the operator comes
	p := taken(t, g)
	buffers := p.buffers
	tensors := []obj{p.tensor("x")}
	in := []int32{0}
	for i, arg := range c.args {
		data := make(blob, 0, 4*len(arg))
		for _, a := range arg {
			data = append(data, byte(a), byte(a>>8), byte(a>>16), byte(a>>24))
		}
		shape := []int32{int32(len(arg))}
		if len(arg) == 1 {
			shape = nil
		}
		in = append(in, int32(len(tensors)))
		tensors = append(tensors, obj{tensorShape: shape, tensorType: int8(2), tensorBuffer: uint32(len(buffers)), tensorName: fmt.Sprint("arg", i)})
		buffers = append(buffers, obj{bufferData: data})
	}
	if c.first {
		in = append(in[1:], in[0])
	}
	var give, outputs []int32
	for i, shape := range c.give {
		give = append(give, int32(len(tensors)))
		if !slices.Contains(c.unread, i) {
			outputs = append(outputs, int32(len(tensors)))
		}
		tensors = append(tensors, obj{tensorShape: int32s(shape), tensorType: int8(0), tensorBuffer: uint32(0), tensorName: fmt.Sprint("y", i)})
	}
	p.subgraph[subgraphTensors], p.subgraph[subgraphOutputs] = tensors, outputs
	p.subgraph[subgraphOperators] = []obj{{operatorCode: uint32(0), operatorInputs: in, operatorOutputs: give, operatorOptionsType: c.kind, operatorOptions: c.option}}
	p.model[modelOperatorCodes] = []obj{{codeDeprecated: int8(c.code), codeVersion: int32(1), codeBuiltin: c.code}}
	p.model[modelBuffers], p.model[modelSignatures] = buffers, []obj(nil)
	return finish(p.model, modelID, 0)
}

// What operators become that have no form of their own in a graph, and what is refused of those that have. What TensorFlow's converter makes of Python's
// slices is in testdata.
func TestReadAs(t *testing.T) {
	masks := func(begin, end, ellipsis, newAxis, shrink int32) obj {
		return obj{begin, end, ellipsis, newAxis, shrink}
	}
	for _, c := range []struct {
		name string
		call called
		want string // the nodes, or an error
	}{
		{"expand dims", called{opExpandDims, 52, obj{}, []int{2, 3}, [][]int32{{1}}, false, [][]int{{2, 1, 3}}, nil},
			"y0 = reshape(x) : float32[2,1,3] -> output"},
		{"expand dims, behind", called{opExpandDims, 52, obj{}, []int{2, 3}, [][]int32{{-1}}, false, [][]int{{2, 3, 1}}, nil},
			"y0 = reshape(x) : float32[2,3,1] -> output"},
		{"expand dims of more", called{opExpandDims, 52, obj{}, []int{2, 3}, [][]int32{{1}}, false, [][]int{{2, 2, 3}}, nil}, "changes the number of elements"},
		{"expand dims of nothing", called{opExpandDims, 52, obj{}, []int{2, 3}, nil, false, [][]int{{2, 1, 3}}, nil}, "1 inputs: want 2"},
		{"reverse", called{opReverseV2, 81, obj{}, []int{2, 3}, [][]int32{{-1, 0}}, false, [][]int{{2, 3}}, nil},
			"y0 = strided_slice(x) begin=[1 2] step=[-1 -1] : float32[2,3] -> output"},
		{"reverse elsewhere", called{opReverseV2, 81, obj{}, []int{2, 3}, [][]int32{{2}}, false, [][]int{{2, 3}}, nil}, "axes [2] of input [2 3]"},
		{"split, of which one is read", called{opSplit, 35, obj{int32(2)}, []int{2, 4}, [][]int32{{-1}}, true, [][]int{{2, 2}, {2, 2}}, []int{0}},
			"y1 = slice(x) begin=[0 2] : float32[2,2] -> output"},
		{"split that leaves some", called{opSplit, 35, obj{int32(2)}, []int{2, 3}, [][]int32{{1}}, true, [][]int{{2, 2}, {2, 2}}, nil}, "2 parts along axis [1] of input [2 3]"},
		{"split nowhere", called{opSplit, 35, obj{int32(2)}, []int{2, 4}, [][]int32{{2}}, true, [][]int{{2, 2}, {2, 2}}, nil}, "2 parts along axis [2]"},
		{"split v", called{opSplitV, 79, obj{int32(3)}, []int{7, 2}, [][]int32{{1, -1, 2}, {0}}, false, [][]int{{1, 2}, {4, 2}, {2, 2}}, nil},
			"y0 = slice(x) begin=[0 0] : float32[1,2] -> output 0\ny1 = slice(x) begin=[1 0] : float32[4,2] -> output 1\ny2 = slice(x) begin=[5 0] : float32[2,2] -> output 2"},
		{"split v of more", called{opSplitV, 79, obj{int32(2)}, []int{3, 2}, [][]int32{{2, 2}, {0}}, false, [][]int{{2, 2}, {2, 2}}, nil}, "elements 2 to 3 of dimension 0"},
		{"split v of sizes beyond", called{opSplitV, 79, obj{int32(2)}, []int{3, 2}, [][]int32{{math.MinInt32, math.MaxInt32}, {0}}, false, [][]int{{2, 2}, {2, 2}}, nil}, "elements from 0 on"},
		{"split v of other sizes", called{opSplitV, 79, obj{int32(2)}, []int{3, 2}, [][]int32{{1, 1, 1}, {0}}, false, [][]int{{2, 2}, {2, 2}}, nil}, "3 sizes of 2 parts"},
		{"unpack", called{opUnpack, 64, obj{int32(2), int32(-1)}, []int{3, 2}, nil, false, [][]int{{3}, {3}}, []int{0}},
			"y1/1 = slice(x) begin=[0 1] : float32[3,1]\ny1 = reshape(y1/1) : float32[3] -> output"},
		{"unpack of more", called{opUnpack, 64, obj{int32(3), int32(0)}, []int{2, 2}, nil, false, [][]int{{2}, {2}, {2}}, nil}, "3 parts along axis 0 of input [2 2]"},
		{"pack", called{opPack, 59, obj{int32(1), int32(-1)}, []int{3, 2}, nil, false, [][]int{{3, 2, 1}}, nil},
			"y0/1 = reshape(x) : float32[3,2,1]\ny0 = concat(y0/1) axis=2 : float32[3,2,1] -> output"},
		{"pack elsewhere", called{opPack, 59, obj{int32(1), int32(3)}, []int{3, 2}, nil, false, [][]int{{3, 2, 1}}, nil}, "axis 3 for inputs of 2 dimensions"},
		{"slice to the end", called{opSlice, 48, obj{}, []int{5, 4}, [][]int32{{3, 1}, {-1, 2}}, false, [][]int{{2, 2}}, nil},
			"y0 = slice(x) begin=[3 1] : float32[2,2] -> output"},
		{"slice beyond", called{opSlice, 48, obj{}, []int{5, 4}, [][]int32{{3, 1}, {3, 2}}, false, [][]int{{3, 2}}, nil}, "elements 3 to 5 of dimension 0"},
		{"slice of numbers beyond", called{opSlice, 48, obj{}, []int{5, 4}, [][]int32{{math.MinInt32, 1}, {-1, 2}}, false, [][]int{{3, 2}}, nil}, "elements from -2147483648 on"},
		{"slice of other dimensions", called{opSlice, 48, obj{}, []int{5, 4}, [][]int32{{3}, {3}}, false, [][]int{{3, 2}}, nil}, "slice from [3] of [3]"},
		{"strided, clamped", called{opStridedSlice, 32, masks(0, 0, 0, 0, 0), []int{5, 4}, [][]int32{{-99, 9}, {99, -99}, {2, -3}}, false, [][]int{{3, 2}}, nil},
			"y0 = strided_slice(x) begin=[0 3] step=[2 -3] : float32[3,2] -> output"},
		{"strided, masked", called{opStridedSlice, 32, masks(3, 3, 0, 0, 0), []int{5, 4}, [][]int32{{2, 2}, {3, 3}, {1, -1}}, false, [][]int{{5, 4}}, nil},
			"y0 = strided_slice(x) begin=[0 3] step=[1 -1] : float32[5,4] -> output"},
		{"strided, new and shrunk", called{opStridedSlice, 32, masks(0, 0, 2, 1, 4), []int{5, 4, 3}, [][]int32{{0, 0, -1}, {0, 0, 0}, {1, 1, 1}}, false, [][]int{{1, 5, 4}}, nil},
			"y0/1 = slice(x) begin=[0 0 2] : float32[5,4,1]\ny0 = reshape(y0/1) : float32[1,5,4] -> output"},
		{"strided by nothing", called{opStridedSlice, 32, masks(0, 0, 0, 0, 0), []int{5, 4}, [][]int32{{0, 0}, {1, 1}, {1, 0}}, false, [][]int{{1, 1}}, nil}, "strides [1 0]"},
		{"strided, empty", called{opStridedSlice, 32, masks(0, 0, 0, 0, 0), []int{5, 4}, [][]int32{{3, 0}, {1, 1}, {1, 1}}, false, [][]int{{1, 1}}, nil}, "-2 elements from 3 on"},
		{"strided, numbers beyond", called{opStridedSlice, 32, masks(0, 0, 0, 0, 0), []int{5, 4},
			[][]int32{{math.MinInt32, 0}, {math.MaxInt32, 1}, {math.MaxInt32, math.MinInt32}}, false, [][]int{{1, 1}}, nil}, "2147483647 apart"},
		{"strided, more than there is", called{opStridedSlice, 32, masks(0, 0, 0, 0, 0), []int{5, 4}, [][]int32{{0, 0, 0}, {1, 1, 1}, {1, 1, 1}}, false, [][]int{{1, 1}}, nil}, "3 entries for input [5 4]"},
		{"strided, two ellipses", called{opStridedSlice, 32, masks(0, 0, 3, 0, 0), []int{5, 4}, [][]int32{{0, 0, 0, 0}, {1, 1, 1, 1}, {1, 1, 1, 1}}, false, [][]int{{1, 1}}, nil},
			"y0 = slice(x) begin=[0 0] : float32[1,1] -> output"},
		{"strided by offsets", called{opStridedSlice, 32, append(masks(0, 0, 0, 0, 0), true), []int{5, 4}, [][]int32{{0, 0}, {1, 1}, {1, 1}}, false, [][]int{{1, 1}}, nil}, "outside the supported set"},
		{"space to depth by nothing", called{opSpaceToDepth, 19, obj{int32(0)}, []int{1, 4, 4, 1}, nil, false, [][]int{{1, 2, 2, 4}}, nil}, "blocks of 0"},
		{"space to depth by too much", called{opSpaceToDepth, 19, obj{int32(3)}, []int{1, 4, 4, 1}, nil, false, [][]int{{1, 2, 2, 4}}, nil}, "blocks of 3 do not fill"},
		{"depth to space by too much", called{opDepthToSpace, 94, obj{int32(math.MaxInt32)}, []int{1, 2, 2, 4}, nil, false, [][]int{{1, 4, 4, 1}}, nil}, "blocks of 2147483647"},
		{"mirrored too far", called{opMirrorPad, 77, obj{int8(0)}, []int{2, 2}, [][]int32{{0, 2, 0, 0}}, false, [][]int{{4, 2}}, nil}, "mirrors more than there is of [2 2]"},
		{"mirrored otherwise", called{opMirrorPad, 77, obj{int8(2)}, []int{2, 2}, [][]int32{{0, 2, 0, 0}}, false, [][]int{{4, 2}}, nil}, "mode 2"},
		{"tile by too much", called{opTile, 51, obj{}, []int{2, 2}, [][]int32{{math.MaxInt32, 2}}, false, [][]int{{4, 2}}, nil}, "repeated [2147483647 2] times"},
		{"tile by nothing", called{opTile, 51, obj{}, []int{2, 2}, [][]int32{{0, 2}}, false, [][]int{{4, 2}}, nil}, "repeated [0 2] times"},
		{"sum over a dimension beyond", called{opSum, 27, obj{false}, []int{2, 2}, [][]int32{{2}}, false, [][]int{{2}}, nil}, "axes [2] of input [2 2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.call.file(t)
			g, err := Decode(b)
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
				return
			}
			_, nodes, _ := strings.Cut(g.String(), "x = input : ")
			_, nodes, _ = strings.Cut(nodes, "\n")
			if nodes != c.want+"\n" {
				t.Errorf("got\n%s\nwant\n%s", nodes, c.want)
			}
			if !survives(t, b) {
				t.Error("does not decode again")
			}
		})
	}
}

// Few operators that are read as many make no graph larger than a file may be.
func TestDecodeBoundedParts(t *testing.T) {
	g := graph.New("packs")
	g.Level = graph.Folded
	in := slices.Repeat([]*graph.Value{g.Input("x", graphtest.Floats(1))}, maxInputs)
	for i := range maxNodes/maxInputs + 1 {
		g.Outputs = []*graph.Value{g.Apply(fmt.Sprint("y", i), graph.Concat{}, in...)}
	}
	p := taken(t, g)
	p.model[modelDescription] = strings.Repeat("large enough to describe as much. ", 1<<15)
	p.model[modelOperatorCodes] = []obj{{codeDeprecated: int8(opPack), codeVersion: int32(1), codeBuiltin: int32(opPack)}}
	for _, o := range p.operators {
		o[operatorOptionsType], o[operatorOptions] = uint8(59), obj{int32(maxInputs), int32(0)}
		p.tensors[o[operatorOutputs].([]int32)[0]][tensorShape] = []int32{maxInputs, 1}
	}
	refused(t, finish(p.model, modelID, 0), "at most 16384 nodes are made of a file")
}

// The nodes of a graph know the file's operators that they are read from, of which some are several and some none.
func TestOrigins(t *testing.T) {
	for name, want := range map[string][]int{
		"tf_any":    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17}, // SHAPE, STRIDED_SLICE and PACK before the reshape
		"tf_blocks": slices.Concat(numbered(0, 6), []int{6, 6}, numbered(7, 10), []int{10, 10, 10}, numbered(11, 49)),
	} {
		_, got, err := DecodeOrigins(read(t, name))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
}

func numbered(from, to int) (s []int) {
	for i := from; i < to; i++ {
		s = append(s, i)
	}
	return s
}
