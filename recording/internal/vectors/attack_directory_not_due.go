package vectors

import "slices"

func directoryNotDue(c *Case) {
	c.What = "A directory in a short recording, made with the key."
	p := c.Plain[3]
	c.Final(slices.Concat(p[:48], Record(6, 255, 0, 0, nil), p[48:]))
	c.Resign = true
}
