package vectors

func markNotInTheIndex(c *Case) {
	c.What = "A mark in a segment of which the index says that it has none, made with the key."
	c.Replace(1, append(Audio(0, 0, 8000, make([]byte, 148)), Record(2, 255, 4, 8000, nil)...))
	c.Resign = true
}
