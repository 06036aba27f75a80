package vectors

func finalBitSetAndCut(c *Case) {
	c.What = "The final bit of segment 2 is on, and nothing follows."
	c.Segments = c.Segments[:3]
	c.Segments[2][0] |= 0x80
	c.Segments[2] = append(c.Segments[2], be64(0)...)
}
