// Hello world: a step that hands its rows on, against the bare contract. Records are laid out as their fields are, and
// what does not fit in one value is returned through a pointer.
package main

import (
	"encoding/json"
	"unsafe"
)

type text struct {
	at  *byte
	len uint32
}

type list struct {
	at  unsafe.Pointer
	len uint32
}

type port struct {
	name, role, kind text
	optional         uint32
	accepts          list
	doc              text
	annotations      list
}

type descriptor struct {
	kind, summary   text
	inputs, outputs list
	paramsSchema    text
	annotations     list
}

// A result whose error is a record of a code, a message and details.
type result struct {
	isError uint32
	list    list
	rest    [4]uint32
}

// A result that is nothing, or such an error.
type failure struct {
	isError       uint32
	code, message text
	details       list
}

type output struct {
	port text
	rows uint32
}

// What the host was given lives until the instance ends.
var kept []unsafe.Pointer

func keep[T any](value T) unsafe.Pointer {
	at := new(T)
	*at = value
	kept = append(kept, unsafe.Pointer(at))
	return unsafe.Pointer(at)
}

func say(words string) text {
	return text{unsafe.StringData(words), uint32(len(words))}
}

//go:wasmimport pinion:step/arrow@0.1.0 [method]batch.rows
func rowsOf(batch uint32) uint64

//go:wasmimport pinion:step/arrow@0.1.0 [method]batch.slice
func slice(batch uint32, start, length uint64, out unsafe.Pointer)

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	bytes := make([]uint64, size/8+1)
	at := unsafe.Pointer(&bytes[0])
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(at), size), unsafe.Slice((*byte)(old), oldSize))
	}
	kept = append(kept, at)
	return at
}

//go:wasmexport pinion:step/step@0.1.0#describe
func describe() unsafe.Pointer {
	one := func(role string) list {
		return list{keep(port{name: say("rows"), role: say(role), kind: say("table"), doc: say("")}), 1}
	}
	return keep(descriptor{
		kind:         say("row-map"),
		summary:      say("Says hello."),
		inputs:       one("main"),
		outputs:      one("out"),
		paramsSchema: say(`{"type": "object"}`),
	})
}

//go:wasmexport pinion:step/step@0.1.0#check
func check(params unsafe.Pointer, paramsLen uint32, inputs unsafe.Pointer, inputsLen uint32) unsafe.Pointer {
	return keep(result{list: list{inputs, inputsLen}})
}

//go:wasmexport pinion:step/row-map@0.1.0#open
func open(params unsafe.Pointer, paramsLen uint32, tables unsafe.Pointer, tablesLen uint32, blobs unsafe.Pointer, blobsLen uint32) unsafe.Pointer {
	var found map[string]any
	if err := json.Unmarshal(unsafe.Slice((*byte)(params), paramsLen), &found); err != nil {
		return keep(failure{isError: 1, code: say("bad-params"), message: say(err.Error())})
	}
	return keep(failure{})
}

//go:wasmexport pinion:step/row-map@0.1.0#apply
func apply(batch uint32) unsafe.Pointer {
	var sliced result
	slice(batch, 0, rowsOf(batch), unsafe.Pointer(&sliced))
	if sliced.isError != 0 {
		return keep(sliced)
	}
	rows := uint32(uintptr(sliced.list.at))
	return keep(result{list: list{keep(output{say("rows"), rows}), 1}})
}

func main() {}
