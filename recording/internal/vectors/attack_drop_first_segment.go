package vectors

func dropFirstSegment(c *Case) {
	c.What = "Segment 0 left out."
	c.Segments = c.Segments[1:]
}
