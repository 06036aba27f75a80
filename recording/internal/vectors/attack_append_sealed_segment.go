package vectors

func appendSealedSegment(c *Case) {
	c.What = "A segment after the final one, made with the key: number 4."
	c.Segments = append(c.Segments, c.Row.Segment(4, false, 0, c.Plain[0]))
}
