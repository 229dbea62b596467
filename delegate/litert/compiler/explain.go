package compiler

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/installed"
)

var (
	// Partitioned subgraph<0>, selected 0 ops, from a total of 1 ops. resulted in …
	selected = regexp.MustCompile(`selected (\d+) ops, from a total of (\d+) ops`)
	// … libQnnHtp.so: cannot open shared object file: No such file or directory.
	unloaded = regexp.MustCompile(`Could not load shared library ([^\n]*)`)
)

// tookNothing says whether the tool failed because there was nothing to compile.
func tookNothing(err error, said string) bool {
	var failed *ToolError
	m := selected.FindStringSubmatch(said)
	return errors.As(err, &failed) && failed.Exited && m != nil && m[1] == "0"
}

// loading is an error that says that the vendor's plugin cannot be loaded, or err.
func loading(err error, said string, v installed.Vendor, o Options) error {
	if m := unloaded.FindStringSubmatch(said); m != nil {
		return fmt.Errorf("%w: %s's compiler plugin cannot be loaded: %s; it needs %s", delegate.ErrUnavailable, v.Name, strings.TrimRight(m[1], ". "), v.Source)
	}
	if strings.Contains(said, "Loaded 0 plugins") {
		return fmt.Errorf("%w: %s has no compiler plugin for %s; run ci/setup litert", delegate.ErrUnavailable, o.Package.Compiler(v), v.Name)
	}
	return err
}

var (
	// begins a message; the lines after it belong to it.
	begins = regexp.MustCompile(`^\s*(INFO|WARNING|ERROR|FATAL|\[LITERT|[\d.]+ms +\[|[A-Z_]+:)`)
	// complaint is in messages that say why something failed.
	complaint = regexp.MustCompile(`ERROR|<E>|FATAL|[Cc]heck failed|terminate called|what\(\)`)
	// prefix is what they begin with.
	prefix = regexp.MustCompile(`^.*?(<E> |\[[a-z_/]+\.cc:\d+\] ?)`)
)

// Complaints are the last messages in what LiteRT and a vendor's library printed
// that may say why something failed, as one line.
func Complaints(said string) string {
	const most, longest = 3, 600
	var messages, list []string
	for line := range strings.Lines(said) {
		text := strings.TrimSpace(line)
		switch {
		case text == "":
		case len(messages) == 0 || begins.MatchString(line):
			messages = append(messages, text)
		default:
			messages[len(messages)-1] += " " + text
		}
	}
	for _, text := range messages {
		if !complaint.MatchString(text) {
			continue
		}
		for prefix.MatchString(text) {
			text = strings.TrimSpace(prefix.ReplaceAllString(text, ""))
		}
		if text != "" {
			list = append(list, text)
		}
	}
	if len(list) == 0 {
		list = messages
	}
	text := strings.Join(list[max(0, len(list)-most):], " | ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest/2], "") + " … " + strings.ToValidUTF8(text[len(text)-longest/2:], "")
	}
	return text
}
