package vectors

func truncateAfterHeader(c *Case) {
	c.What = "Cut after the header."
	c.Expect = "truncated"
	c.Blob = c.Header
}
