package vectors

func recordOverlap(c *Case) {
	c.What = "Audio that begins before the party's audio before it ends, made with the key."
	c.Replace(1, Audio(0, 0, 159, make([]byte, 160)))
	c.Resign = true
}
