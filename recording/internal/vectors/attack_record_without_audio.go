package vectors

func recordWithoutAudio(c *Case) {
	c.What = "Audio of no bytes, made with the key."
	c.Replace(1, append(Audio(0, 0, 8000, make([]byte, 148)), Audio(0, 0, 8200, nil)...))
	c.Resign = true
}
