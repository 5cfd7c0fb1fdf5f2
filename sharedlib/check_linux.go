package sharedlib

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

var machines = map[string]elf.Machine{
	"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM, "386": elf.EM_386, "riscv64": elf.EM_RISCV,
	"loong64": elf.EM_LOONGARCH, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390,
}

// Check reads the file's headers: it has to be a shared library of this machine that defines the symbols. The error wraps
// ErrUseless, or is that of opening the file. glibc's own message for a library of another machine is that the file does
// not exist.
func Check(path string, symbols ...string) (err error) {
	defer func() { // debug/elf is not hardened: a crafted file may panic
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %w: its headers are damaged", path, ErrUseless)
		}
	}()
	if s, err := os.Stat(path); err != nil {
		return err
	} else if !s.Mode().IsRegular() {
		return fmt.Errorf("%s: %w: it is no file", path, ErrUseless)
	}
	f, err := elf.Open(path)
	var format *elf.FormatError
	if errors.As(err, &format) || err != nil && strings.Contains(err.Error(), "EOF") {
		return fmt.Errorf("%s: %w: it is not an ELF file", path, ErrUseless)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Type != elf.ET_DYN {
		return fmt.Errorf("%s: %w: it is %v", path, ErrUseless, f.Type)
	}
	if f.Machine != machines[runtime.GOARCH] {
		return fmt.Errorf("%s: %w: it is for %s, this program for %s", path, ErrUseless, machineName(f.Machine), runtime.GOARCH)
	}
	defined, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return fmt.Errorf("%s: %w: %w", path, ErrUseless, err)
	}
	for _, name := range symbols {
		if !slices.ContainsFunc(defined, func(s elf.Symbol) bool { return s.Name == name && s.Section != elf.SHN_UNDEF }) {
			return fmt.Errorf("%s: %w: it has no function %s", path, ErrUseless, name)
		}
	}
	return nil
}

func machineName(m elf.Machine) string {
	for arch, machine := range machines {
		if machine == m {
			return arch
		}
	}
	return m.String()
}
