// Package builtin holds the model that every binary carries: net D trained on CIFAR-10 and converted to int8, so that a
// picture can be classified with nothing else installed. `make builtin RUN=runs/NAME` puts another run's model here.
package builtin

import _ "embed"

// Name is what the model is called where a file's path would stand.
const Name = "builtin"

// Model is the .tflite file: int8 input (1, 32, 32, 3), int8 output (1, 10). Its metadata has its labels, its normalization, and
// its card, which says how it was trained and how good it is.
//
//go:embed model.tflite
var Model []byte
