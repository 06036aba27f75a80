package vectors

import "slices"

func dropMiddleSegment(c *Case) {
	c.What = "Segment 1 left out."
	c.Segments = slices.Delete(c.Segments, 1, 2)
}
