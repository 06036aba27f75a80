package vectors

func truncateInHeader(c *Case) {
	c.What = "Cut inside the header."
	c.Expect = "truncated"
	c.Blob = c.bytes()[:40]
}
