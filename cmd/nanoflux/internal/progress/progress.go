// Package progress shows one line that changes, on a terminal only.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// Line is a status line at the bottom of a terminal. On anything else its
// methods do nothing. It is not for use by more than one goroutine.
type Line struct {
	to    io.Writer
	width int
	shown bool
}

// New returns a line on w; it is silent unless w is a terminal.
func New(w io.Writer) *Line {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return &Line{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return &Line{to: w, width: width}
}

// Show replaces the line. Step 0 of 0 is work of unknown length.
func (l *Line) Show(what string, step, of int, elapsed time.Duration) {
	if l.to == nil {
		return
	}
	text := Text(what, step, of, elapsed)
	if r := []rune(text); len(r) >= l.width {
		text = string(r[:l.width-1])
	}
	fmt.Fprintf(l.to, "\r\x1b[K%s", text)
	l.shown = true
}

// Clear takes the line away, so that other text can be printed.
func (l *Line) Clear() {
	if l.shown {
		fmt.Fprint(l.to, "\r\x1b[K")
		l.shown = false
	}
}

const barWidth = 20

// Text is what Show prints: "denoise  ██████··············  3/10  0.4 s".
func Text(what string, step, of int, elapsed time.Duration) string {
	seconds := fmt.Sprintf("%.1f s", elapsed.Seconds())
	if of <= 0 {
		return what + "  " + seconds
	}
	full := min(max(step*barWidth/of, 0), barWidth)
	bar := strings.Repeat("█", full) + strings.Repeat("·", barWidth-full)
	return fmt.Sprintf("%s  %s  %d/%d  %s", what, bar, step, of, seconds)
}
