package vectors

func foreignSegmentSameKey(c *Case) {
	c.What = "Segment 1 of a recording with the same key and another ID."
	c.Segments[1] = newCase("r2", 0x11).Segments[1]
}
