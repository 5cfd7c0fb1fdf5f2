package infer

import (
	"errors"
	"fmt"
)

// Pool lets many goroutines share one model. A Session serves one goroutine at a time, so a Pool holds several, and a call
// waits for one that is free.
type Pool struct {
	free chan Session
	all  []Session
}

// NewPool opens n sessions, all of the same model on the same runtime. n is how many calls run at once; more than the
// machine has processors gains nothing.
func NewPool(n int, open func() (Session, error)) (*Pool, error) {
	if n < 1 {
		return nil, fmt.Errorf("infer: a pool of %d sessions: want at least 1", n)
	}
	p := &Pool{free: make(chan Session, n)}
	for range n {
		s, err := open()
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.all = append(p.all, s)
		p.free <- s
	}
	return p, nil
}

// Run computes out from in, the bytes of Session.Write and Session.Read. Any number of goroutines may call it at once.
func (p *Pool) Run(in, out []byte) error {
	s := <-p.free
	defer func() { p.free <- s }()
	return Call(s, in, out)
}

// Close closes the sessions. No Run may be under way; a later one gets the closed session's error.
func (p *Pool) Close() error {
	var errs []error
	for _, s := range p.all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
