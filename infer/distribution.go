package infer

// measured is what a Latency keeps of the calls it sums up.
type measured struct {
	percentiles [101]float64 // of 0 to 100 percent; the first is the minimum
	rounds      [][]float64  // of MeasureInterleaved, in microseconds
}

// Percentiles are the times that 0, 1, ... 100 percent of the calls did not exceed, in microseconds: the distribution's
// shape, of which P50, P90 and P99 are three points. nil for a Latency that was not measured by this package.
func (l Latency) Percentiles() []float64 {
	if l.kept == nil {
		return nil
	}
	return l.kept.percentiles[:]
}

// Ratio is how many times as long the other's calls take as l's, which is l's speed-up against it. The two come from one
// MeasureInterleaved; for others it is the zero Ratio.
func (l Latency) Ratio(other Latency) Ratio {
	if l.kept == nil || other.kept == nil {
		return Ratio{}
	}
	return PairedRatio(other.kept.rounds, l.kept.rounds)
}

// keep sums up sorted samples, of which there is at least one.
func keep(sorted []float64) *measured {
	var m measured
	m.percentiles[0] = sorted[0]
	for percent := 1; percent < len(m.percentiles); percent++ {
		m.percentiles[percent] = Quantile(sorted, percent)
	}
	return &m
}
