package vectors

func recordFramePastTheEnd(c *Case) {
	c.What = "A frame longer than its record, made with the key."
	c.Replace(1, Record(4, 0, 111, 8000, append([]byte{0, 160, 0, 157}, make([]byte, 156)...)))
	c.Resign = true
}
