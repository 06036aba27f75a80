package vectors

func finalWithoutSummary(c *Case) {
	c.What = "The final segment made with the key, without its summary."
	c.Final(c.Plain[3][:len(c.Plain[3])-32])
	c.Resign = true
}
