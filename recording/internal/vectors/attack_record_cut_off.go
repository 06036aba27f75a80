package vectors

func recordCutOff(c *Case) {
	c.What = "A segment that ends inside the head of a record, made with the key."
	c.Replace(1, append(Audio(0, 0, 8000, make([]byte, 155)), 1, 0, 0, 0, 0))
	c.Resign = true
}
