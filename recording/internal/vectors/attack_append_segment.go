package vectors

func appendSegment(c *Case) {
	c.What = "Segment 0 again after the final one."
	c.Segments = append(c.Segments, c.Segments[0])
}
