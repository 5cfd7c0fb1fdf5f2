package infer

import (
	"errors"
	"fmt"
	"strings"
)

// Auto, as Options.Delegate for Open, leaves the choice of runtime and delegate to Open; so does "".
const Auto = "auto"

// Open opens the model on the first of the runtimes that offers the delegate. Auto is the first runtime that is
// available, with the delegate of its own choice. Session.Placement says what was chosen.
func Open(runtimes []Runtime, model []byte, opts Options) (Runtime, Session, error) {
	if opts.Delegate == Auto {
		opts.Delegate = ""
	}
	kind, _, _ := strings.Cut(opts.Delegate, "=") // of external=LIB
	var offered []string
	var unavailable error
	for _, r := range runtimes {
		match := opts.Delegate == ""
		for _, d := range r.Devices() { // which also loads what is loaded once for all models
			offered = append(offered, d.Name)
			match = match || d.Name == kind
		}
		if !match {
			continue
		}
		if opts.Trying != nil {
			opts.Trying(r)
		}
		s, err := r.Open(model, opts)
		if err == nil {
			return r, s, nil
		}
		if !errors.Is(err, ErrUnavailable) || opts.Delegate != "" {
			return nil, nil, err
		}
		unavailable = errors.Join(unavailable, err)
		if opts.PassedOver != nil {
			opts.PassedOver(r, err)
		}
	}
	if unavailable != nil {
		return nil, nil, unavailable
	}
	return nil, nil, fmt.Errorf("delegate %q: %w: this binary has %s", opts.Delegate, ErrUnavailable, strings.Join(offered, ", "))
}
