package vectors

func finalBitCleared(c *Case) {
	c.What = "The final bit of the last segment is off."
	c.Segments[3][0] &^= 0x80
}
