package vectors

func markUnknown(c *Case) {
	c.What = "A mark of a kind there is not, made with the key."
	c.Replace(1, append(Audio(0, 0, 8000, make([]byte, 148)), Record(2, 255, 14, 8000, nil)...))
	c.Resign = true
}
