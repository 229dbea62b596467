//go:build tflite

package main

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// oneDNN is the peer's library, Debian's libdnnl, called without C.
type oneDNN struct {
	engine, stream uintptr
	isa            int

	memoryDescribe  func(md *byte, dims int, sizes *int64, dataType, tag int32) int32
	matmulDescribe  func(op *byte, src, weights, bias, dst *byte) int32
	primitive       func(p *uintptr, op *byte, attributes, engine, hint uintptr) int32
	primitiveMake   func(p *uintptr, description uintptr) int32
	primitiveMemory func(description uintptr, what, index int32) uintptr
	memory          func(m *uintptr, md uintptr, engine uintptr, data unsafe.Pointer) int32
	reorder         func(p *uintptr, from *byte, fromEngine uintptr, to uintptr, toEngine, attributes uintptr) int32
	execute         func(p, stream uintptr, count int32, arguments unsafe.Pointer) int32
	wait            func(stream uintptr) int32
	attributes      func(a *uintptr) int32
	scales          func(a uintptr, count int64, mask int32, scales *float32) int32
}

// Numbers of oneDNN 2's interface (dnnl_types.h).
const (
	dnnlF32, dnnlS8, dnnlU8, dnnlS32       = 3, 5, 6, 4
	dnnlAny, dnnlRow, dnnlRows             = 1, 2, 3 // any layout, a vector, a matrix by rows
	dnnlWeights                            = 131     // query of the weights' layout
	dnnlSrc, dnnlDst, dnnlWeight, dnnlBias = 1, 17, 33, 41
	dnnlMemoryBytes, dnnlMatmulBytes       = 1 << 10, 1 << 13 // more than oneDNN's structs take
)

// openOneDNN opens the library, which computes on the given number of threads.
func openOneDNN(threads int) (*oneDNN, error) {
	// Its threads must sleep while the other side runs.
	for _, v := range []string{"OMP_WAIT_POLICY=passive", fmt.Sprintf("OMP_NUM_THREADS=%d", threads)} {
		name, value, _ := cutEqual(v)
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	library, err := purego.Dlopen("libdnnl.so.2", purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("oneDNN: %w (apt-get install libdnnl-dev)", err)
	}
	d := &oneDNN{}
	var engineCreate func(e *uintptr, kind int32, index uintptr) int32
	var streamCreate func(s *uintptr, engine uintptr, flags uint32) int32
	var isa func() int32
	for name, f := range map[string]any{
		"dnnl_engine_create": &engineCreate, "dnnl_stream_create": &streamCreate, "dnnl_get_effective_cpu_isa": &isa,
		"dnnl_memory_desc_init_by_tag": &d.memoryDescribe, "dnnl_matmul_desc_init": &d.matmulDescribe,
		"dnnl_primitive_desc_create": &d.primitive, "dnnl_primitive_create": &d.primitiveMake, "dnnl_primitive_desc_query_md": &d.primitiveMemory,
		"dnnl_memory_create": &d.memory, "dnnl_reorder_primitive_desc_create": &d.reorder, "dnnl_primitive_execute": &d.execute,
		"dnnl_stream_wait": &d.wait, "dnnl_primitive_attr_create": &d.attributes, "dnnl_primitive_attr_set_output_scales": &d.scales,
	} {
		purego.RegisterLibFunc(f, library, name)
	}
	if s := engineCreate(&d.engine, 1, 0); s != 0 {
		return nil, fmt.Errorf("oneDNN: no engine (status %d)", s)
	}
	if s := streamCreate(&d.stream, d.engine, 1); s != 0 {
		return nil, fmt.Errorf("oneDNN: no stream (status %d)", s)
	}
	d.isa = int(isa())
	return d, nil
}

func cutEqual(s string) (name, value string, found bool) {
	for i := range s {
		if s[i] == '=' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// isaName is what the library takes the processor for.
func (d *oneDNN) isaName() string {
	for _, x := range []struct {
		bits int
		name string
	}{{0x3e7, "AMX"}, {0x67, "AVX-512 VNNI"}, {0x27, "AVX-512"}, {0x407, "AVX2 VNNI"}, {7, "AVX2"}} {
		if d.isa&x.bits == x.bits {
			return x.name
		}
	}
	return fmt.Sprintf("%#x", d.isa)
}

// dnnlArgument is dnnl_exec_arg_t.
type dnnlArgument struct {
	kind   int32
	_      int32
	memory uintptr
}

// matmul prepares rows × in → out with weights in the layout that oneDNN likes
// best, packed before. With integers, src is u8, weights s8 with a scale for
// each column, dst u8.
func (d *oneDNN) matmul(rows, in, out int, integers bool) (run func() error, err error) {
	check := func(what string, status int32) {
		if status != 0 && err == nil {
			err = fmt.Errorf("oneDNN: %s: status %d", what, status)
		}
	}
	keep := [][]byte{} // what oneDNN points to
	bytesOf := func(n int) *byte {
		x := make([]byte, n+64)
		keep = append(keep, x)
		at := 64 - int(uintptr(unsafe.Pointer(&x[0]))%64)
		return &x[at%64]
	}
	describe := func(dataType, tag int32, sizes ...int64) *byte {
		md := bytesOf(dnnlMemoryBytes)
		check("memory", d.memoryDescribe(md, len(sizes), &sizes[0], dataType, tag))
		return md
	}
	src, weights, dst, bias := int32(dnnlF32), int32(dnnlF32), int32(dnnlF32), int32(dnnlF32)
	size := 4
	if integers {
		src, weights, dst, bias, size = dnnlU8, dnnlS8, dnnlU8, dnnlS32, 1
	}
	m, k, n := int64(rows), int64(in), int64(out)
	srcMD, dstMD, biasMD := describe(src, dnnlRows, m, k), describe(dst, dnnlRows, m, n), describe(bias, dnnlRows, 1, n)
	anyMD, plainMD := describe(weights, dnnlAny, k, n), describe(weights, dnnlRows, k, n)
	op := bytesOf(dnnlMatmulBytes)
	check("matmul", d.matmulDescribe(op, srcMD, anyMD, biasMD, dstMD))
	var attributes uintptr
	if integers {
		check("attributes", d.attributes(&attributes))
		scales := make([]float32, out)
		for i := range scales {
			scales[i] = 1e-4
		}
		check("scales", d.scales(attributes, n, 1<<1, &scales[0]))
	}
	var description, primitive uintptr
	check("matmul", d.primitive(&description, op, attributes, d.engine, 0))
	if err != nil {
		return nil, err
	}
	check("matmul", d.primitiveMake(&primitive, description))
	best := d.primitiveMemory(description, dnnlWeights, 0)
	memory := func(md uintptr, bytes int) uintptr {
		var x uintptr
		check("memory", d.memory(&x, md, d.engine, unsafe.Pointer(bytesOf(bytes))))
		return x
	}
	at := func(md *byte) uintptr { return uintptr(unsafe.Pointer(md)) }
	plain, packed := memory(at(plainMD), in*out*size), memory(best, 2*in*out*size+1<<16)
	var packing, packer uintptr
	check("packing", d.reorder(&packing, plainMD, d.engine, best, d.engine, 0))
	if err != nil {
		return nil, err
	}
	check("packing", d.primitiveMake(&packer, packing))
	pack := []dnnlArgument{{kind: dnnlSrc, memory: plain}, {kind: dnnlDst, memory: packed}}
	check("packing", d.execute(packer, d.stream, int32(len(pack)), unsafe.Pointer(&pack[0])))
	arguments := []dnnlArgument{
		{kind: dnnlSrc, memory: memory(at(srcMD), rows*in*size)},
		{kind: dnnlWeight, memory: packed},
		{kind: dnnlBias, memory: memory(at(biasMD), out*4)},
		{kind: dnnlDst, memory: memory(at(dstMD), rows*out*size)},
	}
	if err != nil {
		return nil, err
	}
	return func() error {
		if s := d.execute(primitive, d.stream, int32(len(arguments)), unsafe.Pointer(&arguments[0])); s != 0 {
			return fmt.Errorf("oneDNN: status %d", s)
		}
		s := d.wait(d.stream)
		runtime.KeepAlive(keep)
		if s != 0 {
			return fmt.Errorf("oneDNN: status %d", s)
		}
		return nil
	}, nil
}
