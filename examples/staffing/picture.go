package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"

	"github.com/ringfence/ringfence/acd/sim"
)

// The colours of the picture. Text has a contrast of at least 4.5 to its ground, marks and lines one of 3 (WCAG 2.2, 1.4.3 and 1.4.11), and
// formula and simulation differ in shape too.
var (
	light = palette{ground: "#ffffff", text: "#1b1f24", faint: "#57606a", grid: "#dfe3e8", formula: "#0b57d0", simulated: "#b3400e", goal: "#57606a"}
	dark  = palette{ground: "#14171a", text: "#e6e8ea", faint: "#a3acb5", grid: "#30363d", formula: "#8ab4f8", simulated: "#ffab70", goal: "#a3acb5"}
)

type palette struct{ ground, text, faint, grid, formula, simulated, goal string }

func (p palette) css() string {
	return fmt.Sprintf(".ground{fill:%s}.text{fill:%s}.faint{fill:%s}.grid{stroke:%s}.axis{stroke:%s}.formula{stroke:%s}.dot{fill:%s;stroke:%s}.bar{stroke:%s}.goal{stroke:%s}",
		p.ground, p.text, p.faint, p.grid, p.faint, p.formula, p.ground, p.simulated, p.simulated, p.goal)
}

const (
	width, height = 1080, 440
	top, bottom   = 144, 380
	panelWidth    = 284
	panelGap      = 64
	left          = 62
)

// panel is one figure over the number of agents.
type panel struct {
	title, unit string
	scale       float64 // from the figure to the unit
	goal        float64 // 0: none
	most        float64 // end of the scale; 0: what the figures need
	formula     func(r row) float64
	simulated   func(r row) sim.Estimate
}

// picture draws formula and simulation as an SVG document.
func picture(p plan, need sim.Need, rows []row) []byte {
	panels := []panel{
		{"Answered within " + clock(p.goal.Within), "%", 100, p.goal.Level, 1, func(r row) float64 { return r.steady.Within(p.goal.Within) }, func(r row) sim.Estimate { return r.result.All.Level }},
		{"Average speed of answer", "s", 1, p.goal.ASA.Seconds(), 0, func(r row) float64 { return r.steady.ASA }, func(r row) sim.Estimate { return r.result.All.ASA }},
		{"Hang up", "%", 100, p.goal.Abandoned, 0, func(r row) float64 { return r.steady.Abandoned }, func(r row) sim.Estimate { return r.result.All.Abandon }},
	}
	if p.traffic.Patience == 0 {
		panels[2] = panel{"Busy", "%", 100, p.goal.Occupancy, 1, func(r row) float64 { return r.steady.Occupancy }, func(r row) sim.Estimate { return r.result.Occupancy }}
	}
	d := &drawing{}
	d.addf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title desc">`, width, height, width, height)
	d.addf(`<title id="title">%s</title>`, escape(headline(p)))
	d.addf(`<desc id="desc">%s</desc>`, escape(fmt.Sprintf("%d agents are needed, decided by %s. Three panels show the figures for %d to %d agents, by the formula as a line and by simulation as dots with 99 %% intervals.",
		need.Agents, words[need.Bound], rows[0].agents, rows[len(rows)-1].agents)))
	d.addf(`<style>text{font:13px system-ui,sans-serif}.head{font-size:18px;font-weight:600}.name{font-size:14px;font-weight:600}.grid{stroke-width:1}.axis{stroke-width:1}`+
		`.formula{fill:none;stroke-width:2}.dot{stroke-width:1.5}.bar{stroke-width:1.5}.goal{stroke-width:1.5;stroke-dasharray:6 4}%s@media(prefers-color-scheme:dark){%s}</style>`, light.css(), dark.css())
	d.addf(`<rect class="ground" width="%d" height="%d"/>`, width, height)
	d.text(left-42, 34, "head text", "start", headline(p))
	d.text(left-42, 58, "faint", "start", fmt.Sprintf("%d agents are needed at their places, %d on the payroll; decided by %s.", need.Agents, need.Scheduled, words[need.Bound]))
	d.legend(left-42, 86, p)
	for i, pl := range panels {
		d.panel(left+float64(i*(panelWidth+panelGap)), pl, need.Agents, rows)
	}
	d.addf(`</svg>`)
	return d.b.Bytes()
}

func headline(p plan) string {
	return fmt.Sprintf("%g calls an hour, %s each: %.2f erlangs", p.traffic.PerHour, clock(p.traffic.Handle), p.traffic.Erlangs())
}

type drawing struct{ b bytes.Buffer }

func (d *drawing) addf(format string, args ...any) {
	fmt.Fprintf(&d.b, format+"\n", args...)
}

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s)) // a Buffer takes everything
	return b.String()
}

func (d *drawing) text(x, y float64, class, anchor, s string) {
	d.addf(`<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, class, x, y, anchor, escape(s))
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.addf(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (d *drawing) legend(x, y float64, p plan) {
	d.line("formula", x, y, x+28, y)
	d.text(x+36, y+4, "text", "start", "formula ("+p.formula()+")")
	d.line("bar", x+190, y-8, x+190, y+8)
	d.addf(`<circle class="dot" cx="%.1f" cy="%.1f" r="3"/>`, x+190, y)
	d.line("bar", x+184, y-8, x+196, y-8)
	d.line("bar", x+184, y+8, x+196, y+8)
	d.text(x+204, y+4, "text", "start", "simulation of the router, with its 99 % interval")
	d.line("goal", x+530, y, x+558, y)
	d.text(x+566, y+4, "text", "start", "goal")
}

func (d *drawing) panel(x float64, p panel, need int, rows []row) {
	most := p.most
	if most == 0 {
		for _, r := range rows {
			most = max(most, finite(p.formula(r)), finite(p.simulated(r).High()), p.goal)
		}
	}
	step := tick(most * p.scale)
	end := math.Ceil(most*p.scale/step-1e-9) * step
	at := func(i int) float64 {
		if len(rows) == 1 {
			return x + panelWidth/2
		}
		return x + 12 + float64(i)*(panelWidth-24)/float64(len(rows)-1)
	}
	up := func(v float64) float64 { return bottom - (bottom-top)*min(max(v*p.scale/end, 0), 1) }
	d.text(x, top-16, "name text", "start", p.title+", "+p.unit)
	for v := 0.0; v <= end+step/2; v += step {
		class := "grid"
		if v == 0 {
			class = "axis"
		}
		d.line(class, x, up(v/p.scale), x+panelWidth, up(v/p.scale))
		d.text(x-8, up(v/p.scale)+4, "faint", "end", strconv.FormatFloat(v, 'g', 6, 64))
	}
	for i, r := range rows {
		class := "faint"
		if r.agents == need {
			class = "name text" // what is needed stands out
		}
		d.text(at(i), bottom+20, class, "middle", strconv.Itoa(r.agents))
	}
	d.text(x+panelWidth/2, bottom+42, "faint", "middle", "agents")
	if p.goal > 0 {
		d.line("goal", x, up(p.goal), x+panelWidth, up(p.goal))
	}
	var path bytes.Buffer
	for i, r := range rows {
		if v := p.formula(r); finite(v) == v {
			fmt.Fprintf(&path, "%.1f,%.1f ", at(i), up(v))
		}
	}
	d.addf(`<polyline class="formula" points="%s"/>`, bytes.TrimSpace(path.Bytes()))
	for i, r := range rows {
		e := p.simulated(r)
		if math.IsNaN(e.Value) {
			continue
		}
		d.addf(`<g><title>%s</title>`, escape(fmt.Sprintf("%d agents: formula %.1f %s, simulation %s", r.agents, p.formula(r)*p.scale, p.unit, around(e, p.scale, p.unit))))
		d.line("bar", at(i), up(e.Low()), at(i), up(e.High()))
		d.line("bar", at(i)-6, up(e.Low()), at(i)+6, up(e.Low()))
		d.line("bar", at(i)-6, up(e.High()), at(i)+6, up(e.High()))
		d.addf(`<circle class="dot" cx="%.1f" cy="%.1f" r="3"/></g>`, at(i), up(e.Value))
	}
}

func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// tick is a round distance of about a fifth of a scale.
func tick(most float64) float64 {
	if most <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most/5)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= most/5-1e-12 {
			return m * power
		}
	}
	return 10 * power
}
