// Package dataset turns what a user calls "the data" into labelled arrays of bytes, and feeds them to a trainer.
//
//	Open ──► Set{Train, Test} ──► Holdout ──► Loader ──► batches for a training step    loader.go
//	                      ├─────► Limit ────► Batches ─► batches for validation and test  dataset.go
//	                      └─────► Limit ────► Image ───► single images, for calibration and inference
//
// Everything is (N, H, W, C) with C = 3 (R, G, B), one byte a value, 0..255. Normalization is not done here: it belongs to
// the graph of the trainer and to the metadata of the model, so that it is written down once.
//
// What Open reads, found by content wherever the format has any:
//
//	fashion-mini   7,000 images of Fashion-MNIST, embedded in the program         fashion.go
//	cifar10        CIFAR-10 from the cache, or downloaded and checked             fetch.go
//	class folders  SPLIT/CLASS/image, SPLIT being train and test                  classes.go, image.go
//	CIFAR-10       data_batch_1..5.bin, test_batch.bin, batches.meta.txt          cifar.go
//	IDX            the MNIST family, 28 x 28 gray, .gz or not                     idx.go
//
// The last three may lie in a folder, a .zip or a .tar.gz, at its root or in one folder below it. Archives are read
// in memory within Limits; nothing is ever written beside the user's data.
//
//	open.go     which of these it is, and the checks that all have to pass
//	source.go   folders and archives as files with contents
//	exif.go     what a JPEG's header says, and the picture turned upright
//	rgb.go      a picture as bytes of a net's size, and back
//	mix.go      hashes, and orders made of them
//	errors.go   the kinds of refusal
//
// A single picture takes the same way as the pictures of class folders: DecodeImage checks the header against
// ImageLimits before any pixel is decoded and turns the picture upright, ToRGB brings it to the net's size.
//
// Random choices (which images are held out, the order of an epoch, the crop and flip of a sample) are hashes of the seed and
// of what is chosen for, never draws from a shared generator (mix.go). They do not depend on the number of
// workers, on timing or on what was asked before, which is what makes a run resumable at any batch.
//
// Bad input wraps ErrData or ErrImage. Faults of the system (permissions, read errors) do not, and can be seen by errors.Is.
package dataset
