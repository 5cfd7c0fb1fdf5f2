package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// sshServer is the path of an ssh server, "" where there is none.
func sshServer() string {
	if p, err := exec.LookPath("sshd"); err == nil {
		return p
	}
	if _, err := os.Stat("/usr/sbin/sshd"); err == nil { // not on everyone's PATH
		return "/usr/sbin/sshd"
	}
	return ""
}

// startSSH is the script command "sshd DIR": it sets MNET_SSH to an ssh that knows a host "board", and BINARY to the path of mnet-edge. Each connection
// to board starts an ssh server here, without a port, which takes this user, by a key made for it, to a shell in DIR. No other host has anyone listening.
func startSSH(ts *testscript.TestScript, _ bool, args []string) {
	home, dir := ts.MkAbs(args[0]), ts.MkAbs(".sshd")
	ts.Check(os.MkdirAll(home, 0o755))
	ts.Check(os.MkdirAll(dir, 0o700))
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, key := range []string{"host", "user"} {
		ts.Check(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path(key)).Run())
	}
	public, err := os.ReadFile(path("user.pub"))
	ts.Check(err)
	binary, err := exec.LookPath("mnet-edge")
	ts.Check(err)
	for name, text := range map[string]string{
		"authorized": string(public),
		"config": fmt.Sprintf(`HostKey %s
PidFile none
AuthorizedKeysFile %s
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
ForceCommand cd %s && eval "$SSH_ORIGINAL_COMMAND"
`, path("host"), path("authorized"), home),
		"client": fmt.Sprintf("Host board\n ProxyCommand %s -i -f '%s'\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n StrictHostKeyChecking accept-new\n LogLevel ERROR\nHost *\n Port 1\n BatchMode yes\n",
			sshServer(), path("config"), path("user"), path("known")),
	} {
		ts.Check(os.WriteFile(path(name), []byte(text), 0o600))
	}
	if os.Getuid() == 0 {
		ts.Check(os.MkdirAll("/run/sshd", 0o755)) // where sshd, as root, wants to lock itself in
	}
	ts.Setenv(sshEnv, "ssh -F "+path("client"))
	ts.Setenv("BINARY", binary)
}
