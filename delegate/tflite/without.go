//go:build !tflite

package tflite

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
