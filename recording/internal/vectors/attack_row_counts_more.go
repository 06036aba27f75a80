package vectors

func rowCountsMore(c *Case) {
	c.What = "The row counts one segment more."
	c.Expect = "truncated"
	c.Row.Segments++
}
