//go:build !unix

package shared

import "os"

func anonymousFile(int) (*os.File, error)   { return nil, ErrUnsupported }
func mapFile(*os.File, int) ([]byte, error) { return nil, ErrUnsupported }
func unmap([]byte) error                    { return ErrUnsupported }
