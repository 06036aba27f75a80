package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/acd/sim"
	"github.com/stretchr/testify/require"
)

func TestComparisonAndPicture(t *testing.T) {
	var out strings.Builder
	file := filepath.Join(t.TempDir(), "staffing.svg")
	require.NoError(t, run(t.Context(), []string{"-runs", "6", "-works", "2000", "-o", file}, &out))
	text := out.String()
	require.Contains(t, text, "200 calls an hour of 3m, patience 2m: 10.00 erlangs.")
	require.Contains(t, text, "You need 12 agents at their places, 18 on the payroll with 30 % shrinkage. It was decided by: service level.")
	m := regexp.MustCompile(`(\d+) of 36 formula figures lie in the interval`).FindStringSubmatch(text)
	require.NotNil(t, m, text)
	inside, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	require.GreaterOrEqual(t, inside, 33)
	rows := regexp.MustCompile(`(?m)^(\d+) +([\d.]+) % +([\d.]+) ±[\d.]+ %`).FindAllStringSubmatch(text, -1)
	require.Len(t, rows, 9)
	for i, r := range rows {
		require.Equal(t, strconv.Itoa(8+i), r[1])
		formula, err := strconv.ParseFloat(r[2], 64)
		require.NoError(t, err)
		simulated, err := strconv.ParseFloat(r[3], 64)
		require.NoError(t, err)
		require.InDelta(t, formula, simulated, 5)
	}

	svg, err := os.ReadFile(file)
	require.NoError(t, err)
	titles := 0
	dec := xml.NewDecoder(bytes.NewReader(svg))
	dec.Strict = true
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "the picture is not well-formed")
		if e, ok := token.(xml.StartElement); ok {
			require.NotContains(t, []string{"script", "image", "foreignObject", "a", "use"}, e.Name.Local)
			if e.Name.Local == "title" {
				titles++
			}
			for _, a := range e.Attr {
				require.NotContains(t, []string{"href", "onload"}, a.Name.Local)
			}
		}
	}
	require.Equal(t, 1+3*9, titles)
	require.Contains(t, string(svg), "200 calls an hour, 3m each: 10.00 erlangs")
	for _, r := range rows { // the numbers of the table are those of the picture
		require.Contains(t, string(svg), fmt.Sprintf("<title>%s agents: formula %s %%, simulation %s ±", r[1], r[2], r[3]))
	}
	require.NotContains(t, string(svg), "NaN")
	require.NotContains(t, string(svg), "Inf")
	require.NotContains(t, string(svg), "url(")
}

func TestNeedAndProfile(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-need", "-patience", "0", "-shrinkage", "0"}, &out))
	require.Equal(t, "200 calls an hour of 3m, nobody hangs up: 10.00 erlangs.\n"+
		"You need 14 agents at their places, 14 on the payroll with 0 % shrinkage. It was decided by: service level.\n"+
		"Then 88.8 % are answered within 20s, after 7.8 s on average; 0.0 % hang up; agents are busy for 71.4 % of their time (Erlang C).\n", out.String())
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-profile", "0, 100,200", "-patience", "0", "-occupancy", "0.6"}, &out))
	require.Equal(t, "INTERVAL  CALLS/H  ERLANGS  AGENTS  PAYROLL  WITHIN 20s  DECIDED BY     \n"+
		"0         0        0.00     0       0        -           nothing comes  \n"+
		"1         100      5.00     9       13       94.8 %      occupancy      \n"+
		"2         200      10.00    17      25       98.6 %      occupancy      \n\n"+
		"At most 25 people at once, 38 intervals of work in sum (Erlang C).\n", out.String())
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-patience", "0", "-calls", "5", "-runs", "2", "-works", "100", "-o", filepath.Join(t.TempDir(), "x.svg")}, &out))
	require.Contains(t, out.String(), "You need 2 agents")
}

func TestWhatCannotBeAsked(t *testing.T) {
	for _, args := range [][]string{{"-level", "1"}, {"-handle", "0s"}, {"-profile", "1,x"}, {"-profile", "-1"}, {"-runs", "1"}, {"-works", "1"}, {"-nonsense"}, {"what"},
		{"-runs", "2", "-works", "100", "-o", filepath.Join(t.TempDir(), "nowhere", "x.svg")}} {
		require.Error(t, run(t.Context(), args, io.Discard), "%v", args)
	}
	require.ErrorIs(t, run(t.Context(), []string{"-help"}, io.Discard), flag.ErrHelp)
	require.ErrorIs(t, run(t.Context(), []string{"-occupancy", "0.00001"}, io.Discard), sim.ErrImpossible)
}

// Text reads on its ground and marks stand out from it, on light and on dark.
func TestContrast(t *testing.T) {
	luminance := func(hex string) float64 {
		n, err := strconv.ParseUint(hex[1:], 16, 32)
		require.NoError(t, err)
		linear := func(c uint64) float64 {
			v := float64(c&255) / 255
			if v <= .04045 {
				return v / 12.92
			}
			return math.Pow((v+.055)/1.055, 2.4)
		}
		return .2126*linear(n>>16) + .7152*linear(n>>8) + .0722*linear(n)
	}
	for _, p := range []palette{light, dark} {
		for _, c := range []struct {
			colour string
			least  float64
		}{{p.text, 4.5}, {p.faint, 4.5}, {p.formula, 3}, {p.simulated, 3}, {p.goal, 3}} {
			a, b := luminance(c.colour), luminance(p.ground)
			require.GreaterOrEqual(t, (max(a, b)+.05)/(min(a, b)+.05), c.least, "%s on %s", c.colour, p.ground)
		}
	}
}
