// Command overhead compares this project's Invoke with the same library called from elsewhere, on net D, in turns:
//
//	make bench-overhead   TensorFlow Lite with XNNPACK, called from C (peer.c): what go-tflite and infer/tflitec cost
//	make bench-litert     LiteRT called from its own Python interpreter (peer.py): what infer/litert costs
//
// The other side is a process that runs when it is told to. A turn is some calls of one side, then as many of the other;
// the side that begins changes from turn to turn, so that a machine that grows slower or faster treats both alike.
package main
