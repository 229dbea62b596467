//go:build !tflite

package qnn

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
