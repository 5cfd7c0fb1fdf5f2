//go:build tflite && cgo

package tflitec

// #include "observe.h"
import "C"

import (
	"errors"
	"runtime"
	"strings"
	"unsafe"

	"github.com/tphakala/go-tflite"
	"github.com/tphakala/go-tflite/delegates"
)

// go-tflite (v0.0.0-20241022031318) cannot be used as it is in three places, and has no other door to them:
//
//   - NewModel copies the model to C memory that nothing ever frees, and says nothing of why it fails;
//   - SetErrorReporter passes a va_list where printf wants the arguments themselves: the text is garbage, or a crash;
//   - nothing tells which nodes a delegate took.
//
// Its Model, Interpreter and InterpreterOptions keep the C object in their only field, which is unexported. handle reaches it; the
// constants below fail to compile should the structs change.
const (
	_ = -uint(unsafe.Sizeof(tflite.Model{}) - unsafe.Sizeof(unsafe.Pointer(nil)))
	_ = -uint(unsafe.Sizeof(tflite.Interpreter{}) - unsafe.Sizeof(unsafe.Pointer(nil)))
	_ = -uint(unsafe.Sizeof(tflite.InterpreterOptions{}) - unsafe.Sizeof(unsafe.Pointer(nil)))
)

func handle[T tflite.Model | tflite.Interpreter | tflite.InterpreterOptions](t *T) *unsafe.Pointer {
	return (*unsafe.Pointer)(unsafe.Pointer(t))
}

// messages is what a model or an interpreter reports, in C memory.
type messages struct{ log *C.mnet_log }

func newMessages() messages {
	return messages{(*C.mnet_log)(C.calloc(1, C.sizeof_mnet_log))} // cgo's calloc never returns nil
}

func (m messages) free() { C.free(unsafe.Pointer(m.log)) }

// take returns what was reported since the last call, after what was done: "invoke: text".
func (m messages) take(what string) error {
	text := strings.ReplaceAll(strings.TrimSpace(C.GoString(&m.log.text[0])), "\n", "; ")
	m.log.used, m.log.text[0] = 0, 0
	if text == "" {
		return errors.New(what + " failed without a message")
	}
	return errors.New(what + ": " + text)
}

// model is a tflite.Model over bytes in C memory.
type model struct {
	*tflite.Model
	data unsafe.Pointer
}

func newModel(bytes []byte, m messages) (*model, error) {
	data := C.CBytes(bytes)
	p := C.mnet_model_new(data, C.size_t(len(bytes)), m.log)
	if p == nil {
		C.free(data)
		return nil, m.take("load model")
	}
	t := new(tflite.Model)
	*handle(t) = unsafe.Pointer(p)
	return &model{t, data}, nil
}

func (m *model) free() {
	m.Delete()
	C.free(m.data)
}

func reportTo(o *tflite.InterpreterOptions, m messages) {
	C.mnet_log_to((*C.TfLiteInterpreterOptions)(*handle(o)), m.log)
	runtime.KeepAlive(o)
}

// observer is a delegate for go-tflite that wraps another, or none, and knows what that one took.
type observer struct {
	o     *C.mnet_observer
	inner delegates.Delegater
}

// observe takes over inner, which may be nil.
func observe(inner delegates.Delegater) (*observer, error) {
	var p unsafe.Pointer
	if inner != nil {
		p = inner.Ptr()
	}
	o := C.mnet_observer_new((*C.TfLiteDelegate)(p))
	if o == nil {
		if inner != nil {
			inner.Delete()
		}
		return nil, errors.New("the delegate is of an unknown kind")
	}
	return &observer{o, inner}, nil
}

func (o *observer) Ptr() unsafe.Pointer { return unsafe.Pointer(o.o) }

func (o *observer) Delete() {
	C.mnet_observer_free(o.o)
	if o.inner != nil {
		o.inner.Delete()
	}
}

// counts are the nodes of the model, those a delegate took, and the partitions it runs them in.
func (o *observer) counts() (total, delegated, partitions int) {
	total, partitions = int(o.o.total), int(o.o.partitions)
	return total, total - (int(o.o.remaining) - partitions), partitions
}

func version() string { return C.GoString(C.TfLiteVersion()) }
