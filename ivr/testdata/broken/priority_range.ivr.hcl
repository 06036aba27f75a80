# expect: 7: out of range
flow "x" {
  language = "en"
  start    = "q"
  enqueue "q" {
    queue = "sales"
    priority = 101
    otherwise { goto = "bye" }
  }
  hangup "bye" {}
}
