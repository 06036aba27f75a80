package vectors

func audioNotInTheIndex(c *Case) {
	c.What = "Audio at another time than the index says, made with the key."
	c.Replace(1, Audio(0, 0, 8001, make([]byte, 160)))
	c.Resign = true
}
