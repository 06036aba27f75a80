package vectors

func finalBitSet(c *Case) {
	c.What = "The final bit of segment 1 is on."
	c.Segments[1][0] |= 0x80
}
