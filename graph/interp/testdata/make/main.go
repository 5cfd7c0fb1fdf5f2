// Command make writes models of operators in the forms that a network leaves out, with random weights, and inputs for them:
//
//	go run ./make DIR [NAME...]    writes DIR/NAME.tflite and DIR/NAME.bin, for vectors.py; of all models, or those named
//
// Of float models vectors.py wants --ref-only. A model and its inputs are the same every time.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
)

// models make a graph and its inputs, one after the other in a slice.
var models = map[string]func() (*graph.Graph, any){
	"forms": forms, "hybrid": hybrid, "int16": int16s, "int4": int4s, "moves": moves8, "moves16": moves16,
	"operators": operators,
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("make: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: make DIR [NAME...]")
	}
	names := os.Args[2:]
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(models))
	}
	for _, name := range names {
		if err := write(filepath.Join(os.Args[1], name), models[name]); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
	}
}

// write writes PATH.tflite and PATH.bin.
func write(path string, model func() (*graph.Graph, any)) error {
	if model == nil {
		return errors.New("there is no such model")
	}
	g, inputs := model()
	if err := g.Check(); err != nil {
		return err
	}
	file, err := tflite.Encode(g)
	if err != nil {
		return err
	}
	var raw bytes.Buffer
	if err := binary.Write(&raw, binary.LittleEndian, inputs); err != nil {
		return fmt.Errorf("inputs: %w", err)
	}
	return errors.Join(os.WriteFile(path+".tflite", file, 0o644), os.WriteFile(path+".bin", raw.Bytes(), 0o644))
}
