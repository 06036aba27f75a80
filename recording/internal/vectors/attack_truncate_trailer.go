package vectors

func truncateTrailer(c *Case) {
	c.What = "Cut before the trailer."
	c.Expect = "truncated"
	c.Blob = c.bytes()[:len(c.bytes())-8]
}
