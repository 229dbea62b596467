//go:build !tflite

package nnapi

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
