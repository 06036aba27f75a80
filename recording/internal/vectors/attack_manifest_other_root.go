package vectors

func manifestOtherRoot(c *Case) {
	c.What = "Signed with another root."
	saved := c.Segments
	c.Segments = c.Segments[:3]
	c.sign()
	c.Segments = saved
}
