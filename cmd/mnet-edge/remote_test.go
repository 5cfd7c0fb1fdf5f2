package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

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

// startSSH is the script command "sshd DIR": an ssh server on this machine that takes this user, by a key made for it, to a shell in
// DIR. It sets MNET_SSH to an ssh that reaches it, and BINARY to the path of mnet-edge.
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
	free, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	binary, err := exec.LookPath("mnet-edge")
	ts.Check(err)
	for name, text := range map[string]string{
		"authorized": string(public),
		"config": fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %s
PidFile none
AuthorizedKeysFile %s
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
ForceCommand cd %s && eval "$SSH_ORIGINAL_COMMAND"
`, port, path("host"), path("authorized"), home),
		"client": fmt.Sprintf("Host board\n HostName 127.0.0.1\n Port %d\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n StrictHostKeyChecking accept-new\n LogLevel ERROR\n",
			port, path("user"), path("known")),
	} {
		ts.Check(os.WriteFile(path(name), []byte(text), 0o600))
	}
	if os.Getuid() == 0 {
		ts.Check(os.MkdirAll("/run/sshd", 0o755)) // where sshd, as root, wants to lock itself in
	}
	var said strings.Builder
	server := exec.Command(sshServer(), "-D", "-e", "-f", path("config"))
	server.Stderr = &said
	ts.Check(server.Start())
	ts.Defer(func() {
		server.Process.Kill()
		server.Wait()
	})
	deadline := time.Now().Add(20 * time.Second)
	for {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("sshd does not answer: %v: %s", err, said.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Setenv(sshEnv, "ssh -F "+path("client"))
	ts.Setenv("BINARY", binary)
}
