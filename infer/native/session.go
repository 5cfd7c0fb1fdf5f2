package native

import (
	"errors"

	"mnet-edge/infer"
)

// session is a plan with its tensors' descriptions.
type session struct {
	plan      *plan // nil when closed
	in, out   infer.Tensor
	placement infer.Placement
	threads   int
	ran       bool
}

func (s *session) Input() infer.Tensor        { return s.in }
func (s *session) Output() infer.Tensor       { return s.out }
func (s *session) Placement() infer.Placement { return s.placement }

// Threads are no more than there are processors, and one where none of the network's layers is worth sharing.
func (s *session) Threads() int { return s.threads }

var errClosed = errors.New("native: the session is closed")

func (s *session) Write(in []byte) error {
	if s.plan == nil {
		return errClosed
	}
	if err := s.in.CheckSize(len(in)); err != nil {
		return err
	}
	s.plan.in.load(in)
	return nil
}

func (s *session) Invoke() error {
	if s.plan == nil {
		return errClosed
	}
	s.plan.run()
	s.ran = true
	return nil
}

// Read gives zeros before the first Invoke.
func (s *session) Read(out []byte) error {
	if s.plan == nil {
		return errClosed
	}
	if err := s.out.CheckSize(len(out)); err != nil {
		return err
	}
	if !s.ran {
		clear(out)
		return nil
	}
	s.plan.out.store(out)
	return nil
}

func (s *session) Close() error {
	if s.plan != nil {
		s.plan.close()
	}
	*s = session{in: s.in, out: s.out, placement: s.placement, threads: s.threads}
	return nil
}
