package vectors

func truncateInTrailer(c *Case) {
	c.What = "Cut inside the trailer."
	c.Expect = "truncated"
	c.Blob = c.bytes()[:len(c.bytes())-1]
}
