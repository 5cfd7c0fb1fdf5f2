package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// ErrData is wrapped by every refusal of a data set: missing, of no known format, truncated, at odds with itself, or not to be
// had from the network.
var ErrData = errors.New("dataset: data refused")

// ErrImage is wrapped by every refusal of an image. Inside a data set the refusal wraps both.
var ErrImage = errors.New("dataset: image refused")

// refusal is an error of one of the two kinds; it says the kind once, however many layers add where it happened.
type refusal struct{ kind, reason error }

func (r *refusal) Error() string   { return r.kind.Error() + ": " + r.reason.Error() }
func (r *refusal) Unwrap() []error { return []error{r.kind, r.reason} }

func refuse(format string, args ...any) error {
	return &refusal{ErrData, fmt.Errorf(format, args...)}
}

func refuseImage(format string, args ...any) error {
	return &refusal{ErrImage, fmt.Errorf(format, args...)}
}

// inData makes a refusal of the data of a refusal of one of its images.
func inData(err error) error {
	if r, ok := err.(*refusal); ok {
		return &refusal{ErrData, bare{r}}
	}
	return err
}

// bare is a refusal that leaves it to the one around it to say the kind.
type bare struct{ *refusal }

func (b bare) Error() string { return b.reason.Error() }

// within adds to a refusal the name of what was refused. Faults of the system name their file already.
func within(name string, err error) error {
	if r, ok := err.(*refusal); ok {
		return &refusal{r.kind, fmt.Errorf("%s: %w", name, r.reason)}
	}
	return err
}

// classify makes a refusal of the given kind of an error that the input is to blame for, and leaves faults of the system as they
// are: what the system reports carries an errno, what a decoder reports does not. That a file is missing is the input's fault.
func classify(kind, err error) error {
	var errno syscall.Errno
	var r *refusal
	switch {
	case err == nil, errors.As(err, &r), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist) && errno != syscall.ENOTDIR:
		return fmt.Errorf("dataset: %w", err)
	}
	return &refusal{kind, err}
}
