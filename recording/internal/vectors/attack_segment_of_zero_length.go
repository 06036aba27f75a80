package vectors

func segmentOfZeroLength(c *Case) {
	c.What = "A segment made with the key that holds no record."
	c.Plain[1] = []byte{}
	c.Seal()
	c.Resign = true
}
