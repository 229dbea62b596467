package calibrate

import (
	"fmt"

	"nanoflux/models/bundle"
)

// Prompts are n prompts spread over what a bundle knows: objects, styles and
// backgrounds; none for a bundle that lists no objects.
func Prompts(k bundle.Knows, n int) (prompts []string) {
	if len(k.Objects) == 0 {
		return nil
	}
	for i := range n {
		// Neighbours in the list are often alike.
		prompt := "a " + k.Objects[i*len(k.Objects)/n%len(k.Objects)].Name
		if len(k.Styles) > 0 {
			prompt += fmt.Sprintf(" in %s style", k.Styles[i%len(k.Styles)])
		}
		if len(k.Backgrounds) > 0 {
			prompt += " on " + k.Backgrounds[i%len(k.Backgrounds)]
		}
		prompts = append(prompts, prompt)
	}
	return prompts
}
