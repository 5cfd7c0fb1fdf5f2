package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// maker is a graph in the making.
type maker struct {
	*graph.Graph
	random *rand.Rand
	layers layers
}

func newMaker(name string, seed, stream uint64) *maker {
	g := graph.New(name)
	g.Level = graph.Quantized
	return &maker{Graph: g, random: rand.New(rand.NewPCG(seed, stream))}
}

func integers(d graph.DType, scale float32, zero int32, shape ...int) graph.Type {
	return graph.Type{DType: d, Shape: shape, Quant: quant.PerTensor(scale, zero)}
}

func window(strideY, strideX, dilationY, dilationX int, p graph.Padding) graph.Window {
	return graph.Window{Stride: [2]int{strideY, strideX}, Dilation: [2]int{dilationY, dilationX}, Padding: p}
}

// apply is op's result with a scale and a zero point, named after the operator; same has those of the first input.
func (m *maker) apply(op graph.Op, scale float32, zero int32, in ...*graph.Value) *graph.Value {
	v := m.Apply(fmt.Sprintf("%s_%d", op.Name(), len(m.Nodes)), op, in...)
	v.Type.Quant = quant.PerTensor(scale, zero)
	return v
}

func (m *maker) same(op graph.Op, in ...*graph.Value) *graph.Value {
	scale, zero := in[0].Type.Quant.At(0)
	return m.apply(op, scale, zero, in...)
}

// operand is a constant of random integers of a type.
func (m *maker) operand(t graph.Type) *graph.Value {
	if t.DType == graph.Int16 {
		data := make([]int16, t.Elements())
		for i := range data {
			data[i] = int16(m.random.IntN(1<<16) - 1<<15)
		}
		return graph.Const("operand", t, data)
	}
	data := make([]int8, t.Elements())
	for i := range data {
		data[i] = int8(m.random.IntN(256) - 128)
	}
	return graph.Const("operand", t, data)
}

// bytes are random inputs of one byte an element.
func (m *maker) bytes(images int) []byte {
	in := make([]byte, images*m.Inputs[0].Type.Elements())
	for i := range in {
		in[i] = byte(m.random.IntN(256))
	}
	return in
}

// layers say how the weights of a model's layers are drawn.
type layers struct {
	most         int // weights are -most to most
	weight, bias graph.DType
	scale        float64 // of a weight, per channel about
	spread       float64 // the deviation of a term of a sum, in steps of the input's scale times the weight's
	steps        float64 // that of a result, in steps of its own
}

// layer applies op with random weights, results of integers being scaled so that they spread over the whole range.
func (m *maker) layer(name string, op graph.Op, x *graph.Value, shape []int, perChannel bool, zero int32) *graph.Value {
	l, axis := m.layers, 0
	if _, ok := op.(graph.DepthwiseConv2D); ok {
		axis = 3
	}
	wt := graph.Type{DType: l.weight, Shape: shape}
	channels := shape[axis]
	w := make([]int8, wt.Elements())
	for i := range w {
		w[i] = int8(m.random.IntN(2*l.most+1) - l.most)
	}
	wt.Quant = quant.PerTensor(float32(l.scale), 0)
	if perChannel {
		scale := make([]float32, channels)
		for c := range scale {
			scale[c] = float32(l.scale * math.Exp(m.random.NormFloat64()/3))
		}
		wt.Quant = quant.PerChannel(scale, axis)
	}
	spread := l.spread * math.Sqrt(float64(len(w)/channels))
	y := m.Apply(name, op, x, graph.Const(name+".weight", wt, w), m.bias(name+".bias", x, wt.Quant, channels, spread/2))
	if l.bias != graph.Float32 {
		y.Type.Quant = quant.PerTensor(float32(float64(x.Type.Quant.Scale[0])*l.scale*spread/l.steps), zero)
	}
	return y
}

// bias is random, of a deviation where it is of integers.
func (m *maker) bias(name string, x *graph.Value, weights *quant.Params, channels int, deviation float64) *graph.Value {
	t := graph.Type{DType: m.layers.bias, Shape: []int{channels}}
	if t.DType == graph.Float32 {
		data := make([]float32, channels)
		for c := range data {
			data[c] = float32(m.random.NormFloat64() / 4)
		}
		return graph.Const(name, t, data)
	}
	data := make([]int64, channels)
	for c := range data {
		data[c] = int64(deviation * m.random.NormFloat64())
	}
	t.Quant = &quant.Params{}
	for c := range weights.Scale {
		t.Quant.Scale = append(t.Quant.Scale, graph.BiasScale(x.Type.Quant, weights, c))
		t.Quant.Zero = append(t.Quant.Zero, 0)
	}
	if t.DType == graph.Int64 {
		return graph.Const(name, t, data)
	}
	narrow := make([]int32, channels)
	for c, b := range data {
		narrow[c] = int32(b)
	}
	return graph.Const(name, t, narrow)
}
