package tflite

import "fmt"

// optionFields are the fields of each kind of BuiltinOptions, as they are copied without being understood: b takes 1 byte, i takes
// 4 and l takes 8, v is a vector of elements of 4. A kind that is not here has none.
var optionFields = map[uint8]string{
	1: "biibiib", 2: "biiibii", 3: "ivv", 4: "b", 5: "biiiib", 6: "ibb", 7: "bb", 8: "bbbbb", 9: "i", 10: "ib", 11: "bb", 12: "b",
	13: "iiii", 14: "biibb", 15: "iibb", 17: "v", 18: "iib", 19: "i", 20: "b", 21: "b", 23: "ii", 27: "b", 28: "bb", 29: "b", 30: "v",
	31: "bbb", 32: "iiiiib", 35: "i", 37: "bb", 40: "b", 49: "biibb", 50: "b", 55: "b", 57: "b", 58: "iiib", 59: "ii", 61: "i", 64: "ii",
	69: "biibbb", 70: "bbbb", 71: "biibbb", 74: "bb", 75: "i", 77: "b", 79: "i", 80: "b", 87: "ii", 94: "i", 101: "bbb", 102: "bb",
	106: "biiibiii", 114: "ll", 115: "v", 116: "b",
}

// lastOptions is the last kind of BuiltinOptions.
const lastOptions = 126

// stateful are the kinds that speak of other subgraphs, or of resources that a session keeps.
var stateful = map[uint8]bool{16: true, 92: true, 93: true, 103: true, 107: true, 108: true, 109: true, 110: true, 111: true, 112: true, 113: true}

// copyOptions is an operator's options as they stand in a file.
func copyOptions(kind uint8, t table) (obj, error) {
	if kind > lastOptions || stateful[kind] {
		return nil, fmt.Errorf("options of kind %d: %w", kind, ErrUnsupported)
	}
	fields := optionFields[kind]
	o := make(obj, len(fields))
	for id, f := range fields {
		switch {
		case !t.has(id):
		case f == 'b':
			o[id] = raw8(t.uint8(id))
		case f == 'i':
			o[id] = raw32(t.uint32(id))
		case f == 'l':
			o[id] = raw64(t.uint64(id))
		case f == 'v':
			o[id] = t.int32s(id)
		}
	}
	return o, nil
}
