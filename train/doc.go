// Package train turns a model.Spec and a dataset.Set into a model.Checkpoint, with GoMLX on XLA or on its pure Go backend.
//
//	Config ──► Run ──► Result, and a run's folder
//
//	config.go    Config and Result; the kinds of failure
//	recipe.go    Recipe: the presets and their learning rate schedules
//	net.go       the network as graph operations, for training and for evaluation
//	backward.go  the training pass with the backward pass written out, which the step takes
//	step.go      one step, and an evaluation, compiled; the weights on the device
//	update.go    from gradients to new weights: SGD, and Muon for the matrices; sam.go: gradients a step uphill
//	devices.go   a step that several devices share
//	teacher.go   trained networks whose answers are learnt; answers.go: those that are models in files
//	qat.go       training with int8's rounding in the step
//	from.go      the weights of another run, to begin with
//	layout.go    PyTorch's layouts to the device's and back; the initial weights
//	run.go       the loop: epochs, validation, the final test; progress.go: what it reports meanwhile
//	state.go     a run to its checkpoints and back
//	folder.go    the run's folder, its lock, config.json
//	history.go, events.go, confusion.go, card.go   the files made of the epochs and of the test
//	backend.go   which backend, and where its plugin lies; xla.go is the only file that needs cgo, noxla.go what there is without
//	bench.go     the step alone, or with the loader, for comparison with other frameworks
//
// The step is one pure function, (weights, momenta, batch, rate) -> (weights, momenta, loss, hits), whose gradient is written
// out but with int8's rounding in the step, where it is GoMLX's. Weights and momenta stay on the device from step to step; the loss is read
// after each, so that a run that diverges stops at once. Everything random (initial weights, split, order, augmentation) is a function of the seed and of what it is
// for, so a checkpoint needs no generator's state: the number of steps done says where a run goes on.
//
// What is lowered how, and why: a depthwise convolution is nine shifted products, since the gradient of a grouped convolution
// falls into thousands of small ones; a dense one is one matrix product over the nine taps side by side, or XLA's own where that is quicker. The
// backward pass is written for what XLA on a CPU does well; docs/decisions/0004-training-step.md has the measurements.
//
// No function prints. Panics of the graph builder, its way of reporting errors, become errors at the edge.
package train
