package vectors

import "slices"

func summaryCountsOtherwise(c *Case) {
	c.What = "A summary that counts five segments, made with the key."
	p := c.Plain[3]
	c.Final(append(slices.Clone(p[:len(p)-32]), Summary(24160, 5, 4, 0)...))
	c.Resign = true
}
