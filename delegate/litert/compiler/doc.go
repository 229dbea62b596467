// Package compiler makes segments ready for NPUs with the compiler plugins that
// come with LiteRT: it runs LiteRT's tool in a process of its own, because
// vendors' compilers crash and hang. It needs no cgo and no NPU.
//
// What comes out is a .tflite file in which an operator DISPATCH_OP stands for
// each part that the NPU takes, with the vendor's code behind the file's
// structure; LiteRT's runtime runs it with the vendor's dispatch library
// (package litert).
package compiler
