package vectors

func finalMarkerDropped(c *Case) {
	c.What = "The last segment made with the key, but not as the final one."
	c.Expect = "truncated"
	c.Segments[3] = c.Row.Segment(3, false, 0, Audio(0, 0, 24000, []byte("x")))
}
