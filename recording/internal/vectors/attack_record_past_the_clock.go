package vectors

func recordPastTheClock(c *Case) {
	c.What = "Audio that ends past the last tick, made with the key."
	c.Replace(1, Audio(0, 0, 1<<32-100, make([]byte, 160)))
	c.Resign = true
}
