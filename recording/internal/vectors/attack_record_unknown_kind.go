package vectors

func recordUnknownKind(c *Case) {
	c.What = "A record of kind 9, made with the key."
	c.Replace(1, Record(9, 0, 0, 8000, make([]byte, 160)))
	c.Resign = true
}
