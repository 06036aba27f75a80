package vectors

func foreignBlob(c *Case) {
	c.What = "Another recording under this name."
	o := newCase("r2", 0x22)
	c.Header, c.Segments = o.Header, o.Segments
}
