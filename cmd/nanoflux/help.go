package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

const commandHelp = `{{.HelpName}} - {{.Usage}}

Usage:
  {{.HelpName}}{{if .VisibleCommands}} COMMAND{{end}} [OPTION...]{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}
{{if .Description}}
{{.Description}}
{{end}}{{if .VisibleCommands}}
Commands:{{range .VisibleCommands}}
  {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}
{{end}}
Options:{{range .VisibleFlags}}
  {{.}}{{end}}

` + exitCodesHelp

const appHelp = `nanoflux - {{.Usage}}

Usage:
  nanoflux COMMAND [OPTION...] [ARGUMENT...]

Examples:
  nanoflux generate "a red apple, 3d" -o apple.png
  nanoflux bundle show
  nanoflux doctor

Commands:{{range .VisibleCommands}}
  {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}

nanoflux COMMAND --help tells more about one.

` + exitCodesHelp

const exitCodesHelp = `Exit codes: 0 done, 1 failure, 2 wrong usage, 3 bad input (a file, a profile, a bundle),
4 output not written, 130 interrupted.
`

func init() {
	cli.FlagStringer = flagHelp
	cli.HelpFlag = &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show this"}
}

// flagHelp is an option's line: its names, a tab, what it does, its default.
func flagHelp(f cli.Flag) string {
	documented, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	usage := documented.GetUsage()
	placeholder := ""
	if _, after, found := strings.Cut(usage, "`"); found {
		placeholder, _, _ = strings.Cut(after, "`")
		usage = strings.ReplaceAll(usage, "`", "")
	}
	var names []string
	for _, name := range f.Names() {
		dashes := "--"
		if len(name) == 1 {
			dashes = "-"
		}
		names = append(names, dashes+name)
	}
	line := strings.Join(names, ", ")
	if placeholder != "" {
		line += " " + placeholder
	}
	line += "\t" + usage
	if documented.TakesValue() && documented.GetDefaultText() != "" {
		line += " (default: " + strings.Trim(documented.GetDefaultText(), `"`) + ")"
	}
	return line
}
