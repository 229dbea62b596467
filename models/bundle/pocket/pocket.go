// Package pocket is the small model that comes with the program: 40 objects in
// two styles on eight backgrounds, 256×256.
package pocket

import (
	_ "embed" // for pocket.zip

	"nanoflux/models/bundle"
)

//go:generate go run ../makepocket -from ../../data/pocket -to pocket.zip

//go:embed pocket.zip
var data []byte

// Name is what the program calls it.
const Name = "pocket"

// Open opens the bundle inside the program; nothing is copied.
func Open() (*bundle.Bundle, error) { return bundle.Read(data, Name) }
