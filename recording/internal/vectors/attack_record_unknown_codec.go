package vectors

func recordUnknownCodec(c *Case) {
	c.What = "Audio of a codec there is not, made with the key."
	c.Replace(1, Audio(0, 3, 8000, make([]byte, 160)))
	c.Resign = true
}
