package vectors

func replayOverSegment(c *Case) {
	c.What = "Segment 2 replaced by segment 1."
	c.Segments[2] = c.Segments[1]
}
