package vectors

import "slices"

func repeatSegment(c *Case) {
	c.What = "Segment 1 twice."
	c.Segments = slices.Insert(c.Segments, 1, c.Segments[1])
}
