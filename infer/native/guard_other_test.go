//go:build !linux

package native

import "pgregory.net/rapid"

// guarded is ordinary memory where there are no guard pages.
func guarded(rapid.TB, bool) (hooks planHooks, free func()) { return planHooks{}, func() {} }
