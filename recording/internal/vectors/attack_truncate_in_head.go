package vectors

func truncateInHead(c *Case) {
	c.What = "Cut inside the head of segment 1."
	c.Expect = "truncated"
	c.Blob = append(c.Header, append(c.Segments[0], c.Segments[1][:2]...)...)
}
