//go:build !tflite

package qnntflite

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
