// Package all registers every backend of this build: import it for its side
// effect, then use delegate.Kinds and delegate.Open.
package all

import (
	_ "nanoflux/delegate/coreml"    // for its side effect
	_ "nanoflux/delegate/external"  // for its side effect
	_ "nanoflux/delegate/hexagon"   // for its side effect
	_ "nanoflux/delegate/litert"    // for its side effect
	_ "nanoflux/delegate/nnapi"     // for its side effect
	_ "nanoflux/delegate/qnn"       // for its side effect
	_ "nanoflux/delegate/qnntflite" // for its side effect
	_ "nanoflux/delegate/tflite"    // for its side effect
	_ "nanoflux/delegate/xnnpack"   // for its side effect
	_ "nanoflux/fallback"           // for its side effect
)
