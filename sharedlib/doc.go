// Package sharedlib finds shared libraries that are loaded at run time and looks at them before the loader does, so that a
// missing, foreign or useless one has a reason that a person understands, and no code of it has run.
package sharedlib
