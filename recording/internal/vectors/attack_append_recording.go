package vectors

func appendRecording(c *Case) {
	c.What = "A whole recording after the end."
	c.Blob = append(c.bytes(), c.bytes()...)
}
