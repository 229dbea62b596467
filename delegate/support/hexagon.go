package support

var hexagonRows = loaded("hexagon.psv", nil)

// Hexagon is the Hexagon NN delegate, for the DSPs v60 to v66 (up to Snapdragon
// 865). It computes in 8 bits only.
func Hexagon() Table {
	return &table{name: "hexagon", title: "Hexagon NN", rows: hexagonRows()}
}
