package vectors

func truncateAtBoundary(c *Case) {
	c.What = "Cut before the final segment."
	c.Expect = "truncated"
	c.Segments = c.Segments[:3]
}
