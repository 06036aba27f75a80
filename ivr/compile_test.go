package ivr_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ringfence/ringfence/ivr"
	"github.com/stretchr/testify/require"
)

// testEnv is what exists in every test: two languages that differ in one prompt.
func testEnv() ivr.Env {
	prompts := strings.Fields(`welcome no-input no-match enter-account thanks busy closed bye notice choose-language enter order
		press-1-if-right you-typed digit-0 digit-1 digit-2 digit-3 digit-4 digit-5 digit-6 digit-7 digit-8 digit-9`)
	return ivr.Env{
		Prompts: map[string][]string{"en": append([]string{"english-only"}, prompts...), "da": prompts},
		Queues:  []string{"sales", "support"},
		Boxes:   []string{"9004"},
	}
}

func compile(t *testing.T, src string) *ivr.Program {
	t.Helper()
	p, err := ivr.Compile(fstest.MapFS{"test.ivr.hcl": {Data: []byte(src)}}, testEnv())
	require.NoError(t, err)
	return p
}

func good(t *testing.T, flow string) *ivr.Flow {
	t.Helper()
	p, err := ivr.Compile(os.DirFS("testdata/good"), testEnv())
	require.NoError(t, err)
	f, err := p.Flow(flow)
	require.NoError(t, err)
	return f
}

// Every file in testdata/broken holds one mistake. Its first line names the line and the summary of the one refusal it must get.
func TestBrokenFlows(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*" + ivr.Suffix)
	require.NoError(t, err)
	require.NotEmpty(t, files, "no broken flows found: the test proves nothing")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ivr.Suffix), func(t *testing.T) {
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			head, _, _ := strings.Cut(string(src), "\n")
			want, ok := strings.CutPrefix(head, "# expect: ")
			require.True(t, ok, "first line must be '# expect: LINE: SUMMARY'")
			_, err = ivr.Compile(fstest.MapFS{"x.ivr.hcl": {Data: src}}, testEnv())
			var diags ivr.Diagnostics
			require.ErrorAs(t, err, &diags)
			require.NotEmpty(t, diags)
			got := map[string]bool{}
			for _, d := range diags {
				got[fmt.Sprintf("%d: %s", d.Line, d.Summary)] = true
				require.NotEmpty(t, d.Reason)
				if d.Line > 0 {
					require.Equal(t, "x.ivr.hcl", d.File)
					require.Positive(t, d.Column)
				}
			}
			require.Equal(t, map[string]bool{want: true}, got, "%v", err)
		})
	}
}

func TestGoodFlows(t *testing.T) {
	p, err := ivr.Compile(os.DirFS("testdata/good"), testEnv())
	require.NoError(t, err)
	require.Equal(t, []string{"echo", "main", "message", "notice", "order", "sales"}, p.Flows())
	_, err = p.Flow("nosuch")
	require.ErrorIs(t, err, ivr.ErrNoFlow)
}

func TestDiagnosticsText(t *testing.T) {
	_, err := ivr.Compile(fstest.MapFS{"a/b.ivr.hcl": {Data: []byte("flow \"x\" {\n  language = \"en\"\n  start = \"nowhere\"\n  hangup \"bye\" {}\n}\n")}}, testEnv())
	require.EqualError(t, err, `a/b.ivr.hcl:3:11: unknown step: flow "x" starts at "nowhere", which it does not define`)
}

func TestAllMistakesAreReportedInOrder(t *testing.T) {
	_, err := ivr.Compile(fstest.MapFS{
		"b.ivr.hcl": {Data: []byte("flow \"b\" {\n  language = \"xx\"\n  start = \"m\"\n}\n")},
		"a.ivr.hcl": {Data: []byte("flow \"a\" {\n  start = \"m\"\n  hangup \"m\" { reason = 7 }\n}\n")},
	}, testEnv())
	var diags ivr.Diagnostics
	require.ErrorAs(t, err, &diags)
	require.Len(t, diags, 3)
	require.Equal(t, "a.ivr.hcl", diags[0].File)
	require.Equal(t, 3, diags[1].Line)
	require.Equal(t, "b.ivr.hcl", diags[2].File)
}

func TestEnvironmentIsChecked(t *testing.T) {
	for _, env := range []ivr.Env{{}, {Prompts: map[string][]string{"en": nil}, MaxSteps: -1}} {
		_, err := ivr.Compile(fstest.MapFS{}, env)
		require.ErrorContains(t, err, "invalid environment")
	}
}

func TestUnreadableFilesAreNoDiagnostics(t *testing.T) {
	_, err := ivr.Compile(os.DirFS("testdata/nosuch"), testEnv())
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestHugeFile(t *testing.T) {
	_, err := ivr.Compile(fstest.MapFS{"x.ivr.hcl": {Data: []byte(strings.Repeat("#\n", 200<<10))}}, testEnv())
	require.ErrorContains(t, err, "file too large")
}

// Whatever is uploaded, the compiler returns a program or a reason, never both or a panic; and what it admits can be drawn.
func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*", "testdata/broken/*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			src, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := ivr.Compile(fstest.MapFS{"x.ivr.hcl": {Data: src}}, testEnv())
		if (p == nil) == (err == nil) {
			t.Fatalf("program %v, error %v", p, err)
		}
		if err != nil {
			return
		}
		for _, name := range p.Flows() {
			flow, err := p.Flow(name)
			if err != nil || flow.Mermaid() == "" {
				t.Fatalf("flow %q: %v", name, err)
			}
		}
	})
}
