package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mnet-edge/dataset"
	"mnet-edge/infer"
	"mnet-edge/model"
	"mnet-edge/train"
)

// completionScripts make a shell ask the hidden command "complete" for what may follow; where that has nothing to offer,
// the shell completes file names.
var completionScripts = map[string]string{
	"bash": `# In ~/.bashrc:  source <(mnet-edge completion bash)
_mnet_edge() {
    mapfile -t COMPREPLY < <(mnet-edge complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _mnet_edge mnet-edge
`,
	"zsh": `# In ~/.zshrc, after compinit:  source <(mnet-edge completion zsh)
_mnet_edge() {
    local -a found
    found=(${(f)"$(mnet-edge complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then compadd -a found; else _files; fi
}
compdef _mnet_edge mnet-edge
`,
	"fish": `# In ~/.config/fish/completions/mnet-edge.fish:  mnet-edge completion fish >THAT
complete -c mnet-edge -a '(mnet-edge complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script that completes commands in a shell",
		ArgsUsage: "bash | zsh | fish",
		Description: `1. In this bash, now:     source <(mnet-edge completion bash)
2. In every fish:         mnet-edge completion fish >~/.config/fish/completions/mnet-edge.fish`,
		Action: func(c *cli.Context) error {
			script, ok := completionScripts[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef("completion wants one of %s", strings.Join(sortedKeys(completionScripts), ", "))
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}

// completeCommand prints, a line each, what the last of its arguments may become, given those before it.
func completeCommand() *cli.Command {
	return &cli.Command{
		Name:   "complete",
		Hidden: true,
		Action: func(c *cli.Context) error {
			for _, word := range completions(c.App, c.Args().Slice()) {
				fmt.Fprintln(c.App.Writer, word)
			}
			return nil
		},
	}
}

// completions are the words that may stand in place of the last one, which may be cut short or empty. None is where a file
// name is wanted.
func completions(app *cli.App, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	before, last := words[:len(words)-1], words[len(words)-1]
	var offered []string
	switch command := app.Command(first(before)); {
	case len(before) == 0:
		for _, c := range app.VisibleCommands() {
			offered = append(offered, c.Name)
		}
	case command == nil:
	case strings.HasPrefix(last, "-"):
		for _, f := range command.VisibleFlags() {
			for _, name := range f.Names() {
				offered = append(offered, strings.Repeat("-", min(len(name), 2))+name)
			}
		}
	default:
		offered = flagValues(command, before[len(before)-1])
		if offered == nil && command.Name == "inspect" {
			offered = netNames()
		}
		if offered == nil && command.Name == "completion" {
			offered = sortedKeys(completionScripts)
		}
	}
	return slices.DeleteFunc(offered, func(s string) bool { return !strings.HasPrefix(s, last) })
}

func netNames() (names []string) {
	for _, n := range model.Nets {
		names = append(names, string(n))
	}
	return names
}

func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// flagValues are the values of a command's flag that has a few of them; nil of any other word.
func flagValues(command *cli.Command, word string) []string {
	name := strings.TrimLeft(word, "-")
	if name == word || !slices.ContainsFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
		return nil
	}
	switch name {
	case "delegate":
		names := []string{infer.Auto}
		for _, p := range probers() {
			for _, d := range p.Devices() {
				if !strings.Contains(d.Name, ":") { // train: and what follows are no delegates
					names = append(names, d.Name)
				}
			}
		}
		return names
	case "data", "calib":
		return dataset.Names
	case "split":
		return []string{"test", "train"}
	case "net":
		return netNames()
	case "preset":
		return []string{train.PresetFast, train.PresetSeed}
	case "backend":
		return []string{train.BackendAuto, train.BackendXLA, train.BackendCUDA, train.BackendGo}
	case "io":
		return []string{"int8", "float32"}
	case "padding":
		return []string{"same", "symmetric"}
	}
	return nil
}
