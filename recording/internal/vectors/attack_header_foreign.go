package vectors

func headerForeign(c *Case) {
	c.What = "The header of another recording."
	c.Header = newCase("r2", 0x22).Header
}
