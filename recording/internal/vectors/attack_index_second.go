package vectors

import "slices"

func indexSecond(c *Case) {
	c.What = "An index that is not the first record, made with the key."
	p := c.Plain[3]
	c.Final(slices.Concat(p[48:48+172], p[:48], p[48+172:]))
	c.Resign = true
}
