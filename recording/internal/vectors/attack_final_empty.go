package vectors

func finalEmpty(c *Case) {
	c.What = "The final segment made with the key, without any record."
	c.Final(nil)
	c.Resign = true
}
