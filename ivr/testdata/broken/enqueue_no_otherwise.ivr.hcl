# expect: 5: missing branch
flow "x" {
  language = "en"
  start    = "q"
  enqueue "q" {
    queue = "sales"
    on_full { goto = "bye" }
  }
  hangup "bye" {}
}
