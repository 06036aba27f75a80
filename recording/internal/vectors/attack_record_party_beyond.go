package vectors

func recordPartyBeyond(c *Case) {
	c.What = "Audio of a third of two parties, made with the key."
	c.Replace(1, Audio(2, 0, 8000, make([]byte, 160)))
	c.Resign = true
}
