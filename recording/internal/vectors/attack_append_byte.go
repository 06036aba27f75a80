package vectors

func appendByte(c *Case) {
	c.What = "One byte after the end."
	c.Blob = append(c.bytes(), 0)
}
