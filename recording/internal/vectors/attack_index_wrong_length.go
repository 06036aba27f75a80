package vectors

import "slices"

func indexWrongLength(c *Case) {
	c.What = "An index with another length of segment 0, made with the key."
	p := slices.Clone(c.Plain[3])
	p[15]++
	c.Final(p)
	c.Resign = true
}
