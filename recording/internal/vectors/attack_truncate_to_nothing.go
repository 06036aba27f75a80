package vectors

func truncateToNothing(c *Case) {
	c.What = "Emptied."
	c.Expect = "truncated"
	c.Blob = []byte{}
}
