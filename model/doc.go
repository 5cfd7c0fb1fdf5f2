// Package model is the contract between train and convert: what a network is, and a trained one on disk.
//
//	Spec ──► Layers, Params ──► Weights ──► Checkpoint ──► Save ──► Load
//
//	spec.go         Spec, the nets C, D and P: it alone fixes each layer's geometry and each parameter's name and shape
//	checkpoint.go   Checkpoint: a Spec with its Weights, input normalization, labels and what a trainer needs to go on
//	store.go        Save and Load: a folder of weights and a manifest with their checksums
//	safetensors.go  the format of the weights
//	files.go        the part of a file system that this takes, which tests let fail
//
// Weights have PyTorch's names and layouts (O, I, H, W), the linear layer's (O, I); activations are (N, H, W, C).
//
// A checkpoint is whole or absent: it is written as NAME.new and takes the old one's place by renaming (the one before stays as NAME.old), so that
// whenever a process is killed Load finds the last one that Save returned from, or the one it was at. What cannot be used is ErrCheckpoint,
// with the reason: absent, damaged, or of another format.
package model
