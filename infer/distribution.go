package infer

// percentiles are the quantiles of 0 to 100 percent; the first is the minimum.
type percentiles [101]float64

// Percentiles are the times that 0, 1, ... 100 percent of the calls did not exceed, in microseconds: the distribution's
// shape, of which P50, P90 and P99 are three points. nil for a Latency that was not measured by this package.
func (l Latency) Percentiles() []float64 {
	if l.shape == nil {
		return nil
	}
	return l.shape[:]
}

// shapeOf sorted samples, of which there is at least one.
func shapeOf(sorted []float64) *percentiles {
	var p percentiles
	p[0] = sorted[0]
	for percent := 1; percent < len(p); percent++ {
		p[percent] = quantile(sorted, percent)
	}
	return &p
}
