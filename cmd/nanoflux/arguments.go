package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts a command's options before its arguments, where the flag parser
// looks for them, so that people may write them in any order. It also finds
// what the parser would say less well: unknown commands and options.
func arrange(app *cli.App, args []string) ([]string, error) {
	if len(args) > 1 && args[1] == "help" { // as many people type it
		args = append(slices.Concat(args[:1], args[2:]), "--help")
	}
	if len(args) < 2 || strings.HasPrefix(args[1], "-") {
		return args, atTop(args)
	}
	done, rest := args[:2:2], args[2:]
	command := find(app.Commands, args[1])
	if command == nil {
		return nil, usageOf("nanoflux", "no command %q; there are %s", args[1], names(app.Commands))
	}
	path := "nanoflux " + command.Name
	for len(command.Subcommands) > 0 {
		if len(rest) == 0 {
			return nil, usageOf(path, "%s needs one of %s", path, names(command.Subcommands))
		}
		if rest[0] == "--help" || rest[0] == "-h" {
			return append(done, "--help"), nil
		}
		next := find(command.Subcommands, rest[0])
		if next == nil {
			return nil, usageOf(path, "%s has no %q; it has %s", path, rest[0], names(command.Subcommands))
		}
		done, rest, command, path = append(done, rest[0]), rest[1:], next, path+" "+next.Name
	}
	options, arguments, err := split(command, path, rest)
	if err != nil {
		return nil, err
	}
	return slices.Concat(done, options, []string{"--"}, arguments), nil
}

// atTop checks a command line without a command.
func atTop(args []string) error {
	if len(args) < 2 {
		return nil // prints the help
	}
	if !slices.Contains([]string{"-h", "--help"}, args[1]) {
		return usageOf("nanoflux", "no option %s before a command", args[1])
	}
	return nil
}

// split sorts what follows a command into options, with their values, and
// arguments. After "--" there are only arguments.
func split(command *cli.Command, path string, rest []string) (options, arguments []string, err error) {
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		if word == "--" {
			return options, append(arguments, rest...), nil
		}
		if word == "-" || !strings.HasPrefix(word, "-") {
			arguments = append(arguments, word)
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
		takesValue := false
		if name != "help" && name != "h" {
			i := slices.IndexFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
			if i < 0 {
				return nil, nil, usageOf(path, "%s has no option %s; it has %s", path, word, flagNames(command))
			}
			documented, ok := command.Flags[i].(cli.DocGenerationFlag)
			takesValue = ok && documented.TakesValue()
		}
		options = append(options, word)
		if takesValue && !hasValue {
			if len(rest) == 0 {
				return nil, nil, usageOf(path, "option %s needs a value", word)
			}
			options, rest = append(options, rest[0]), rest[1:]
		}
	}
	return options, arguments, nil
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if slices.Contains(c.Names(), name) {
			return c
		}
	}
	return nil
}

func names(commands []*cli.Command) string {
	var list []string
	for _, c := range commands {
		list = append(list, c.Name)
	}
	return strings.Join(list, ", ")
}

func flagNames(command *cli.Command) string {
	var list []string
	for _, f := range command.Flags {
		list = append(list, "--"+f.Names()[0])
	}
	return strings.Join(list, ", ")
}
