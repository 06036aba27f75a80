package vectors

func recordFrameOfNoTime(c *Case) {
	c.What = "A frame that lasts no tick, made with the key."
	c.Replace(1, Record(4, 0, 111, 8000, append([]byte{0, 0, 0, 156}, make([]byte, 156)...)))
	c.Resign = true
}
