package vectors

func truncateInFinal(c *Case) {
	c.What = "Cut inside the final segment."
	c.Expect = "truncated"
	c.Blob = c.bytes()[:len(c.bytes())-20]
}
