package vectors

func counterPastTheLimit(c *Case) {
	c.What = "The row counts more segments than there can be."
	c.Expect = "truncated"
	c.Row.Segments = 1<<20 + 1
	c.Resign = true
}
