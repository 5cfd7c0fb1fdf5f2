package infer

import (
	"errors"
	"testing"
)

// counted is a session that counts those open, and fails where told to.
type counted struct {
	Session
	open *int
	fail error
}

func (c counted) Write([]byte) error { return c.fail }
func (c counted) Invoke() error      { return nil }
func (c counted) Read([]byte) error  { return nil }
func (c counted) Close() error       { *c.open--; return nil }

func TestPool(t *testing.T) {
	open, broken := 0, errors.New("broken")
	pool, err := NewPool(3, func() (Session, error) { open++; return counted{open: &open, fail: broken}, nil })
	if err != nil || open != 3 {
		t.Fatalf("%d sessions, %v", open, err)
	}
	for range 10 { // a call that fails gives its session back
		if err := pool.Run(nil, nil); !errors.Is(err, broken) {
			t.Fatalf("run: %v", err)
		}
	}
	if err := pool.Close(); err != nil || open != 0 {
		t.Errorf("closed: %d sessions left, %v", open, err)
	}
}

// A pool that cannot be opened whole leaves nothing open.
func TestPoolThatCannotOpen(t *testing.T) {
	open, broken := 0, errors.New("broken")
	_, err := NewPool(3, func() (Session, error) {
		if open == 2 {
			return nil, broken
		}
		open++
		return counted{open: &open}, nil
	})
	if !errors.Is(err, broken) || open != 0 {
		t.Errorf("%d sessions left, %v", open, err)
	}
	if _, err := NewPool(0, nil); err == nil {
		t.Error("a pool of no session")
	}
}
