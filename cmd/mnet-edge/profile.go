package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"mnet-edge/infer"
)

// profileCalls is how many calls a profile is made of.
const profileCalls = 100

// profileOf is where the time of the model's calls goes, on the runtime and the delegate that it is open on.
func profileOf(c *cli.Context, m *openedModel, input []byte) (*infer.Profile, error) {
	delegate := m.delegate()
	p, err := infer.ProfileOn(c.Context, m.runtime, m.bytes, infer.Options{Delegate: delegate, Threads: m.ran.Threads}, input, profileCalls)
	if err != nil {
		return nil, fmt.Errorf("%s: profile: %w", m.path, err)
	}
	if err := explain(m, delegate, p); err != nil {
		return nil, fmt.Errorf("%s: %w", m.path, err)
	}
	return p, nil
}
