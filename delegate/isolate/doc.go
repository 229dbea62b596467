// Package isolate runs a backend in a process of its own, so that a vendor's
// library that crashes, hangs or ends its process costs one segment and not the
// program.
//
// The parent holds a Backend, which asks a worker: the same program, started
// again with the worker command. Between the two is a socket with small
// messages. Tensors lie in shared memory (package shared), and the worker maps
// weights from the file that the parent mapped them from. A worker ends with its
// parent.
package isolate
