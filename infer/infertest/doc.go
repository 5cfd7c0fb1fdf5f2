// Package infertest is the suite that every infer.Runtime passes: Run. A runtime's own test picks the runtime, a delegate
// and the reference whose arithmetic it claims, and lists what it does not do in Exceptions.
//
// Net makes the networks: the project's own, of any spec, with random weights.
package infertest
