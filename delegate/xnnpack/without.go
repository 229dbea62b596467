//go:build !tflite

package xnnpack

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
