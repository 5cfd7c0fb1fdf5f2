//go:build !amd64

package interp

const hasWide, hasWider = false, false

func floatDots() []dotLoop[float32, float32] { return nil }
func intDots() []dotLoop[int16, int32]       { return nil }

func depthFloat(out, x, w, bias *float32, r *depthRow)                                   {}
func tapsInt(sum *int32, x *int8, w *int32, taps, channels, n int, zero int32)           {}
func finishFloat(out, sum, bias *float32, step, pixels int, lo, hi float32)              {}
func finishInt(out *int8, sum *int32, ratio *float32, n int, lo, hi float32, zero int32) {}
func centre(out *int16, x *int8, n int, zero int16)                                      {}
func extremesWide(ends *[2][16]int32, x *float32, n int)                                 {}
