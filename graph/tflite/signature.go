package tflite

import (
	"slices"
	"strconv"

	"mnet-edge/graph"
)

// defaultSignature is the key that a file's only signature has with TensorFlow's converter.
const defaultSignature = "serving_default"

// apart names a signature's inputs or outputs after their tensors. Where a tensor's name is missing or taken, it is the kind with a number
// instead: that of the place, or the next one that makes a name nobody has.
func apart(kind string, tensors []string) []string {
	names, taken := slices.Clone(tensors), map[string]bool{"": true}
	own := map[string]bool{}
	for _, name := range tensors {
		own[name] = true
	}
	k := 0 // from the place on, no number below is free
	for i, name := range tensors {
		if taken[name] {
			for k = max(k, i); ; k++ {
				if name = kind + "_" + strconv.Itoa(k); !own[name] && !taken[name] {
					break
				}
			}
		}
		names[i], taken[name] = name, true
	}
	return names
}

// signature reads the names that the file's first signature has for inputs and outputs. Those that Encode would give anyway are left out,
// and so are those that leave a tensor without a name of its own.
func (d *decoder) signature(model, sub table) graph.Signature {
	var s graph.Signature
	all := model.tables(modelSignatures)
	if len(all) == 0 {
		return s
	}
	if key := all[0].string(signatureKey); key != defaultSignature {
		s.Key = key
	}
	names := func(maps []table, kind string, tensors []int32) []string {
		called, taken := map[uint32]string{}, map[string]bool{}
		for _, m := range maps {
			called[m.uint32(mapIndex)] = m.string(mapName)
		}
		var names []string
		for _, t := range tensors {
			name := called[uint32(t)]
			if name == "" || taken[name] {
				return nil
			}
			taken[name] = true
			names = append(names, name)
		}
		if slices.Equal(names, apart(kind, d.names(tensors))) {
			return nil
		}
		return names
	}
	s.Inputs = names(all[0].tables(signatureInputs), "input", sub.int32s(subgraphInputs))
	s.Outputs = names(all[0].tables(signatureOutputs), "output", sub.int32s(subgraphOutputs))
	return s
}

// names are the tensors' own.
func (d *decoder) names(tensors []int32) (names []string) {
	for _, t := range tensors {
		names = append(names, d.tensors[t].string(tensorName))
	}
	return names
}
