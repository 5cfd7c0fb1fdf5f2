// Package builtin holds the model that every binary carries: net D trained on CIFAR-10 and converted to int8, so that a
// picture can be classified with nothing else installed. `make builtin RUN=runs/NAME` puts another run's model here.
package builtin

import _ "embed"

// Name is what the model is called where a file's path would stand.
const Name = "builtin"

// Model is the .tflite file: int8 input (1, 32, 32, 3), int8 output (1, 10), its labels and normalization in its metadata.
//
//go:embed model.tflite
var Model []byte

// Card says how the model was trained and converted, and how good it is; Markdown.
//
//go:embed card.md
var Card string
