package vectors

import "slices"

func recordPastTheEnd(c *Case) {
	c.What = "A record longer than its segment, made with the key."
	p := slices.Clone(c.Plain[1])
	p[11]++
	c.Replace(1, p)
	c.Resign = true
}
