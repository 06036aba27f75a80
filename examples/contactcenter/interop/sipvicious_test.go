package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip/siptest"
)

// sipvicious is where Debian keeps the programs.
const sipvicious = "/usr/share/sipvicious"

// attack runs one of the programs against a plaintext listener and returns what it printed. What it remembers from one run to the next stays in dir.
func attack(t *testing.T, dir string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", args...)
	cmd.WaitDelay = 2 * time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "PYTHONPATH="+dir)
	out, _ := cmd.CombinedOutput() // it exits with an error when it finds nothing
	require.NoError(t, ctx.Err(), string(out))
	return string(out)
}

// A scanner that attacks over the plaintext listener of a lab, first under its own name and then disguised as a phone, learns neither which users exist nor
// any password, and is reported.
func TestSIPViciousLearnsNothing(t *testing.T) {
	control.Proves(t, "LOG-13")
	need(t, "svmap", "python3")
	t.Parallel()
	port := portString(siptest.FreePort(t))
	s := startServer(t, siteConfig{Alias: "127.0.0.1", Waiver: "127.0.0.1:" + port, Until: time.Now().AddDate(0, 0, 2).Format(time.DateOnly)})
	plain, disguised := filepath.Join(t.TempDir(), "plain"), filepath.Join(t.TempDir(), "disguised")
	for _, dir := range []string{plain, disguised} {
		require.NoError(t, os.CopyFS(dir, os.DirFS(sipvicious)))
	}
	renamed := 0
	require.NoError(t, filepath.WalkDir(disguised, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".py" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(strings.ReplaceAll(string(b), "friendly-scanner", "Yealink SIP-T46S"), "sipvicious\\@", "phone\\@")
		if text != string(b) {
			renamed++
		}
		return os.WriteFile(path, []byte(text), 0o644)
	}))
	require.NotZero(t, renamed)
	dictionary := filepath.Join(t.TempDir(), "dictionary")
	require.NoError(t, os.WriteFile(dictionary, []byte(strings.Repeat("1234\nsecret\nringfence\n", 5)+s.password("1009", "acme.localhost")+"\n"), 0o600))

	tool := func(dir, name string) string { return filepath.Join(dir, "sipvicious", name) }
	users := []string{"1009", "1010"} // those that exist; 1777 and its neighbours do not
	for name, dir := range map[string]string{"under its own name": plain, "disguised": disguised} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"REGISTER", "INVITE"} {
				out := attack(t, dir, tool(dir, "svwar.py"), "-m", method, "-e", "1009-1012,1777-1779", "-p", port, "127.0.0.1", "--force")
				found := 0
				for _, u := range users {
					if strings.Contains(out, "| "+u+" ") {
						found++
					}
				}
				if found > 0 { // then those that do not exist look alike
					require.Contains(t, out, "| 1777 ", "%s tells users from others:\n%s", method, out)
				}
			}
			out := attack(t, dir, tool(dir, "svcrack.py"), "-u", "1009", "-d", dictionary, "-p", port, "127.0.0.1")
			require.NotContains(t, out, s.password("1009", "acme.localhost"))
		})
	}
	require.NotContains(t, attack(t, plain, tool(plain, "svmap.py"), "-p", port, "127.0.0.1"), "| 127.0.0.1:", "the server is not found by those who say what they are")
	eventually(t, "the scan is reported", func() bool { return strings.Contains(s.stderr.String(), "kind=scan") })

	// Whoever has a phone is served all the while.
	sippRun{scenario: "call.xml", user: "1010", number: "9002", port: tunnel(t, s, asAcme), pause: 200 * time.Millisecond}.run(t, s)
}
