//go:build cgo && linux && (amd64 || arm64)

package litert

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"unsafe"

	"github.com/ebitengine/purego"

	"mnet-edge/graph"
	"mnet-edge/infer"
)

// compiled is a model as LiteRT compiled it, with its buffers. Handles that are 0 are not made yet, or destroyed.
type compiled struct {
	lib      *library
	delegate string
	threads  int
	cache    string // file for XNNPACK's packed weights, or ""
	options  options
	handle   compiledModel
	in, out  tensor
	runArgs  [6]uintptr       // of run, made once: arguments in a call of SyscallN are allocated
	pinned   goruntime.Pinner // this, which LiteRT reads where it lies
}

// tensor is an input or output with the buffer that LiteRT reads or writes.
type tensor struct {
	infer.Tensor
	buffer   buffer
	address  unsafe.Pointer // where lock puts the address of the buffer's bytes
	lockArgs [3]uintptr     // of lock; unlock takes the first
}

func (c *compiled) accelerator() int32 {
	if c.delegate == GPU {
		return acceleratorGPU
	}
	return acceleratorCPU
}

// compile makes it of a model of the environment. LiteRT takes the options of an accelerator as lines of TOML under its identifier.
// float32 is what a GPU computes in, too: left to itself, one that can would take float16.
func (c *compiled) compile(env environment, m model, runtimeOptions string) error {
	if err := c.lib.createOptions(&c.options).err(); err != nil {
		return fmt.Errorf("create options: %w", err)
	}
	if err := c.lib.setAccelerators(c.options, c.accelerator()).err(); err != nil {
		return fmt.Errorf("set accelerator: %w", err)
	}
	const float32Precision = 2
	cpu := fmt.Sprintf("num_threads = %d\n", c.threads)
	if c.cache != "" {
		cpu += fmt.Sprintf("weight_cache_file_path = \"%s\"\n", c.cache)
	}
	for _, o := range []struct{ identifier, toml string }{
		{"xnnpack", cpu},
		{"gpu_options", fmt.Sprintf("precision = %d\n", float32Precision)},
		{"runtime_options_string", runtimeOptions},
	} {
		if o.toml == "" {
			continue
		}
		var opaque opaqueOptions
		if err := c.lib.createOpaqueOptions(o.identifier, c.lib.strdup(o.toml), c.lib.free, &opaque).err(); err != nil {
			return fmt.Errorf("set %s: %w", o.identifier, err)
		}
		if err := c.lib.addOpaqueOptions(c.options, opaque).err(); err != nil {
			return fmt.Errorf("set %s: %w", o.identifier, err)
		}
	}
	if err := c.lib.createCompiledModel(env, m, c.options, &c.handle).err(); err != nil {
		return fmt.Errorf("compile model: %w", err)
	}
	return c.createBuffers(env)
}

// createBuffers makes the buffers in the memory that the accelerator wants: the host's, or the GPU's.
func (c *compiled) createBuffers(env environment) error {
	for _, x := range []struct {
		tensor       *tensor
		requirements func(c compiledModel, signature, index uintptr, r *requirements) status
	}{{&c.in, c.lib.inputRequirements}, {&c.out, c.lib.outputRequirements}} {
		var r requirements
		if err := x.requirements(c.handle, 0, 0, &r).err(); err != nil {
			return fmt.Errorf("buffer of %q: %w", x.tensor.Name, err)
		}
		t, err := typeOf(x.tensor.Type)
		if err != nil {
			return err
		}
		if err := c.lib.createBuffer(env, &t, r, &x.tensor.buffer).err(); err != nil {
			return fmt.Errorf("buffer of %q: %w", x.tensor.Name, err)
		}
		var size uintptr
		if err := c.lib.bufferPackedSize(x.tensor.buffer, &size).err(); err != nil {
			return fmt.Errorf("buffer of %q: %w", x.tensor.Name, err)
		}
		if want := uintptr(x.tensor.Type.Bytes()); size != want {
			return fmt.Errorf("buffer of %q: LiteRT has %d bytes, the file %d", x.tensor.Name, size, want)
		}
	}
	c.pinned.Pin(c)
	for _, t := range []*tensor{&c.in, &c.out} {
		t.lockArgs = [3]uintptr{uintptr(t.buffer), uintptr(unsafe.Pointer(&t.address))}
	}
	c.runArgs = [6]uintptr{uintptr(c.handle), 0, // the first signature
		1, uintptr(unsafe.Pointer(&c.in.buffer)), 1, uintptr(unsafe.Pointer(&c.out.buffer))}
	return nil
}

var elements = map[graph.DType]int32{graph.Float32: 1, graph.Int32: 2, graph.UInt8: 3, graph.Int64: 4, graph.Int16: 7, graph.Int8: 9}

func typeOf(t graph.Type) (rankedType, error) {
	element, ok := elements[t.DType]
	r := rankedType{element: element, rank: uint32(len(t.Shape))}
	if !ok || len(t.Shape) > len(r.dimensions) {
		return r, fmt.Errorf("%v%v is not a type of LiteRT", t.DType, t.Shape)
	}
	for i, d := range t.Shape {
		r.dimensions[i] = int32(d)
	}
	return r, nil
}

func (c *compiled) Input() infer.Tensor  { return c.in.Tensor }
func (c *compiled) Output() infer.Tensor { return c.out.Tensor }

var errClosed = errors.New("litert: the session is closed")

func (c *compiled) Write(in []byte) error {
	return c.with(&c.in, lockWrite, len(in), func(data []byte) { copy(data, in) })
}

func (c *compiled) Read(out []byte) error {
	return c.with(&c.out, lockRead, len(out), func(data []byte) { copy(out, data) })
}

// with calls f with the tensor's n bytes, in memory that is the host's for the time of the call.
func (c *compiled) with(t *tensor, mode uintptr, n int, f func([]byte)) error {
	if c.handle == 0 {
		return errClosed
	}
	if err := t.CheckSize(n); err != nil {
		return err
	}
	if err := c.lock(t, mode); err != nil {
		return fmt.Errorf("litert: lock %q: %w", t.Name, err)
	}
	f(unsafe.Slice((*byte)(t.address), n))
	if err := c.unlock(t); err != nil {
		return fmt.Errorf("litert: unlock %q: %w", t.Name, err)
	}
	return nil
}

func (c *compiled) lock(t *tensor, mode uintptr) error {
	t.lockArgs[2] = mode
	r, _, _ := purego.SyscallN(c.lib.lock, t.lockArgs[:]...)
	return status(r).err()
}

func (c *compiled) unlock(t *tensor) error {
	r, _, _ := purego.SyscallN(c.lib.unlock, t.lockArgs[:1]...)
	return status(r).err()
}

// Invoke returns when the output is there: a GPU is waited for, by asking for the output.
func (c *compiled) Invoke() error {
	if c.handle == 0 {
		return errClosed
	}
	r, _, _ := purego.SyscallN(c.lib.run, c.runArgs[:]...)
	err := status(r).err()
	if err == nil && c.delegate == GPU {
		if err = c.lock(&c.out, lockRead); err == nil {
			err = c.unlock(&c.out)
		}
	}
	if err != nil {
		return fmt.Errorf("litert: invoke: %w", err)
	}
	return nil
}

// close destroys it, users before what they use.
func (c *compiled) close() {
	for _, b := range []buffer{c.in.buffer, c.out.buffer} {
		if b != 0 {
			c.lib.destroyBuffer(b)
		}
	}
	if c.handle != 0 {
		c.lib.destroyCompiledModel(c.handle)
	}
	if c.options != 0 {
		c.lib.destroyOptions(c.options)
	}
	c.pinned.Unpin()
	*c = compiled{lib: c.lib, in: tensor{Tensor: c.in.Tensor}, out: tensor{Tensor: c.out.Tensor}}
}
