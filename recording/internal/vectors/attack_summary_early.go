package vectors

func summaryEarly(c *Case) {
	c.What = "A summary in segment 1, made with the key."
	c.Replace(1, append(Audio(0, 0, 8000, make([]byte, 128)), Summary(24160, 4, 4, 0)...))
	c.Resign = true
}
