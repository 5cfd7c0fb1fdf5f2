// Package report gives measured figures their shape for people and for scripts.
//
//	Infer, Convert, Bench   what the commands answer, with stable JSON field names
//	Table                   text for a terminal, at most 80 columns where the content allows
//
// Every number has its unit in its name or its heading, and travels with the conditions it was measured under.
package report
