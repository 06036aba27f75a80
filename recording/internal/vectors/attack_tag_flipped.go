package vectors

func tagFlipped(c *Case) {
	c.What = "A bit of the tag of segment 1."
	c.Segments[1][len(c.Segments[1])-1] ^= 1
}
