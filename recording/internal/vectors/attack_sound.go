package vectors

func sound(c *Case) {
	c.What = "Nothing is wrong with it; if this one fails, the others prove nothing."
	c.Expect = "ok"
}
