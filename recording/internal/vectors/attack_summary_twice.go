package vectors

import "slices"

func summaryTwice(c *Case) {
	c.What = "Two summaries in the final segment, made with the key."
	c.Final(append(slices.Clone(c.Plain[3]), Summary(24160, 4, 4, 0)...))
	c.Resign = true
}
