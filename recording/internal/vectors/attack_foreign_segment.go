package vectors

func foreignSegment(c *Case) {
	c.What = "Segment 1 of another recording."
	c.Segments[1] = newCase("r2", 0x22).Segments[1]
}
